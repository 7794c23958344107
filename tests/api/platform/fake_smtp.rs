//! The fake mail server of the tests, used directly. The tests of e-mails rely on its behaviour.

use std::{
    io::{BufRead, Write},
    process::{Command, Stdio},
    time::Duration,
};

use insula_tests::{FakeSmtp, FaultMode};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Somebody who brings e-mails.
struct Sender(BufReader<TcpStream>);

impl Sender {
    /// Connected, and greeted.
    async fn to(fake_smtp: &FakeSmtp) -> Self {
        let mut sender = Self::connect(fake_smtp.address()).await;
        assert_eq!(sender.line().await, "220 localhost ESMTP");
        assert_eq!(sender.say("HELO me").await, "250 localhost");
        sender
    }

    async fn connect(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// Sends a line and gives the answer to it; empty when the connection was closed instead.
    async fn say(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.line().await
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// The codes of the answers to a whole e-mail; 0: closed.
    async fn bring(&mut self, to: &str, data: &str) -> Vec<u16> {
        let mut codes = Vec::new();
        for line in ["MAIL FROM:<insula@localhost>", &format!("RCPT TO:<{to}>"), "DATA", data] {
            let line = if line == data { format!("{data}\r\n.") } else { line.to_owned() };
            let code = self.say(&line).await.get(..3).map_or(0, |code| code.parse().unwrap());
            codes.push(code);
            if !(200..400).contains(&code) {
                break;
            }
        }
        codes
    }

    async fn is_closed(&mut self) -> bool {
        self.line().await.is_empty()
    }
}

#[tokio::test]
async fn an_email_is_decoded() {
    let fake_smtp = FakeSmtp::start().await;
    let mut sender = Sender::to(&fake_smtp).await;
    let data =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@localhost>\r\n\r\n..one dot\r\n...\r\nend";
    assert_eq!(sender.bring("ada@example.com", data).await, [250, 250, 354, 250]);
    let mail = fake_smtp.wait_for("a mail to Ada", |mail| mail.to == "ada@example.com").await;
    assert_eq!(
        (&*mail.from, &*mail.subject, &*mail.message_id),
        ("insula@localhost", "Grüße", "1@localhost")
    );
    assert_eq!(mail.text, ".one dot\n..\nend\n");
    // The next one on the same connection, to two at once.
    assert!(sender.say("MAIL FROM:<>").await.starts_with("250"));
    for to in ["eve@example.com", "bob@example.com"] {
        assert!(sender.say(&format!("RCPT TO:<{to}>")).await.starts_with("250"));
    }
    assert!(sender.say("DATA").await.starts_with("354"));
    assert!(sender.say("\r\nhello\r\n.").await.starts_with("250"));
    let mails = fake_smtp.mails();
    let to: Vec<_> = mails.iter().map(|mail| &*mail.to).collect();
    assert_eq!(to, ["ada@example.com", "eve@example.com", "bob@example.com"]);
    assert!(sender.say("QUIT").await.starts_with("221") && sender.is_closed().await);
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let fake_smtp = FakeSmtp::start().await;
    let mut sender = Sender::connect(fake_smtp.address()).await;
    sender.send("EHLO me\r\nMAIL FROM:<a@b> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<c@d>\r\nDATA\r\n").await;
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.starts_with("354")) {
        lines.push(sender.line().await);
    }
    assert!(lines.contains(&"250-PIPELINING".to_owned()), "{lines:#?}");
    let codes: Vec<_> =
        lines.iter().filter(|line| !line.starts_with("250-")).map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354"]);
    sender.send("\r\nx\r\n.\r\nNOOP\r\n").await;
    assert!(sender.line().await.starts_with("250 2.0.0 accepted"));
    assert!(sender.line().await.starts_with("250 2.0.0 nothing"));
    assert_eq!(fake_smtp.mails().len(), 1);
}

#[tokio::test]
async fn what_is_out_of_order_or_wrong_is_refused() {
    let fake_smtp = FakeSmtp::start().await;
    let mut sender = Sender::connect(fake_smtp.address()).await;
    sender.line().await;
    for (line, code) in [
        ("MAIL FROM:<a@b>", "503"),
        ("EHLO", "501"),
        ("HELO me", "250"),
        ("RCPT TO:<c@d>", "503"),
        ("DATA", "503"),
        ("MAIL TO:<a@b>", "501"),
        ("MAIL FROM:a@b", "501"),
        ("MAIL FROM:<a@b> SIZE=99999999999", "552"),
        ("MAIL FROM:<a@b> COLOR=red", "555"),
        ("MAIL FROM:<ä@b>", "553"),
        ("MAIL FROM:<a@b>", "250"),
        ("MAIL FROM:<a@b>", "503"),
        ("DATA", "554"),
        ("RCPT TO:<nobody>", "501"),
        ("RCPT TO:<c@d>", "250"),
        ("RSET", "250"),
        ("DATA", "503"),
        ("STARTTLS", "500"),
        ("AUTH PLAIN AHVzZXIAaHVudGVyMg==", "235"),
        ("AUTH LOGIN", "504"),
        ("bare line feed\n", "500"),
    ] {
        let answer = sender.say(line).await;
        assert!(answer.starts_with(code), "{line}: {answer}");
    }
    assert!(fake_smtp.mails().is_empty());
}

#[tokio::test]
async fn every_fault_mode_behaves_as_documented() {
    let fake_smtp = FakeSmtp::start().await;
    for (mode, codes, kept) in [
        (FaultMode::Refuse, &[451][..], 0),
        (FaultMode::Bounce, &[250, 550], 0),
        (FaultMode::Busy, &[421], 0),
        (FaultMode::Cut, &[250, 250, 354, 0], 0),
        (FaultMode::CutAccepted, &[250, 250, 354, 0], 1),
        (FaultMode::Slow(Duration::from_millis(20)), &[250, 250, 354, 250], 2),
        (FaultMode::Accept, &[250, 250, 354, 250], 3),
    ] {
        fake_smtp.set_mode(FaultMode::Accept);
        let mut sender = Sender::to(&fake_smtp).await;
        fake_smtp.set_mode(mode);
        assert_eq!(sender.bring("ada@example.com", "\r\nx").await, codes, "{mode}");
        assert_eq!(fake_smtp.mails().len(), kept, "{mode}");
    }
}

#[tokio::test]
async fn a_client_of_the_silent_mode_never_gets_an_answer() {
    let fake_smtp = FakeSmtp::start().await;
    let mut sender = Sender::to(&fake_smtp).await;
    fake_smtp.set_mode(FaultMode::Silent);
    let mut other = Sender::connect(fake_smtp.address()).await;
    sender.send("NOOP\r\n").await;
    // Later connections are served, so only these two get no answers.
    tokio::time::sleep(Duration::from_millis(100)).await;
    fake_smtp.set_mode(FaultMode::Accept);
    assert_eq!(Sender::to(&fake_smtp).await.bring("ada@example.com", "\r\nx").await, [250, 250, 354, 250]);
    sender.send("NOOP\r\n").await;
    for silent in [&mut sender, &mut other] {
        let heard = tokio::time::timeout(Duration::from_millis(100), silent.0.read_u8()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

#[tokio::test]
async fn an_email_is_not_accepted_if_the_client_leaves_before_a_slow_answer() {
    let fake_smtp = FakeSmtp::start().await;
    let mut sender = Sender::to(&fake_smtp).await;
    for line in ["MAIL FROM:<a@b>", "RCPT TO:<gone@example.com>", "DATA"] {
        sender.say(line).await;
    }
    fake_smtp.set_mode(FaultMode::Slow(Duration::from_millis(500)));
    sender.send("\r\nx\r\n.\r\n").await;
    drop(sender);
    let mut slow = Sender::to(&fake_smtp).await;
    assert_eq!(slow.bring("ada@example.com", "\r\nx").await, [250, 250, 354, 250]);
    let to: Vec<_> = fake_smtp.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@example.com"]);
}

#[tokio::test]
async fn the_program_lists_its_emails_and_follows_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("mails");
    let mut child = Command::new(insula_tests::binary("fake-smtp"))
        .arg(&list)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut output = std::io::BufReader::new(output).lines();
    let ready = output.next().unwrap().unwrap();
    let address = ready.strip_prefix("fake-smtp listens on smtp://").unwrap();
    let data = "Message-ID: <1@localhost>\r\nSubject: a\tb\r\n\r\nx";
    for (mode, last) in [("accept", 250), ("cut-accepted", 0), ("cut", 0)] {
        writeln!(input, "{mode}").unwrap();
        assert_eq!(output.next().unwrap().unwrap(), mode);
        let mut sender = Sender::connect(address).await;
        sender.line().await;
        sender.say("EHLO me").await;
        while sender.line().await.starts_with("250-") {}
        assert_eq!(sender.bring("ada@example.com", data).await.last(), Some(&last));
    }
    let listed = std::fs::read_to_string(list).unwrap();
    let (mails, instants): (Vec<_>, Vec<i64>) = listed
        .lines()
        .map(|line| line.rsplit_once('\t').unwrap())
        .map(|(mail, at)| (mail, at.parse::<i64>().unwrap()))
        .unzip();
    assert_eq!(mails, ["1@localhost\tada@example.com\ta b\t", "1@localhost\tada@example.com\ta b\tcut"]);
    assert!(0 < instants[0] && instants[0] <= instants[1], "{instants:?}");
    drop(input);
    assert!(child.wait().unwrap().success());
}
