//! One connection to the mail server (RFC 5321, PIPELINING, 8BITMIME, SIZE, AUTH PLAIN, SMTPUTF8).

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::{FaultMode, MailStore};

/// Bytes of the longest command: the 512 of RFC 5321 and what extensions may add.
const LINE: u64 = 2048;

/// Bytes of the largest e-mail.
const MAIL: usize = 10 << 20;

/// Maximum number of recipients of an e-mail.
const RECIPIENTS: usize = 100;

/// What follows an answer.
#[derive(PartialEq)]
enum NextStep {
    Listen,
    Close,
}

struct SmtpSession<'a> {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    mode: watch::Receiver<FaultMode>,
    store: &'a MailStore,
    /// Answers to pipelined commands, sent together.
    answers: Vec<u8>,
    is_greeted: bool,
    /// The sender of the current e-mail, and whether addresses may be other than ASCII.
    from: Option<(String, bool)>,
    to: Vec<String>,
}

/// Serves the connection until the client or the fault mode ends it.
pub(super) async fn serve(
    stream: TcpStream,
    mode: watch::Receiver<FaultMode>,
    store: &MailStore,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let reader = BufReader::with_capacity(16 << 10, reader);
    let (answers, to) = (Vec::new(), Vec::new());
    let mut session = SmtpSession { reader, writer, mode, store, answers, is_greeted: false, from: None, to };
    let mut next = match session.mode() {
        FaultMode::Silent => return session.stay_silent().await,
        FaultMode::Busy => session.say("421 4.3.2 localhost is busy", NextStep::Close),
        _ => session.say("220 localhost ESMTP", NextStep::Listen),
    };
    while next == NextStep::Listen {
        // Pipelined commands are answered together.
        if session.reader.buffer().is_empty() {
            session.flush().await?;
        }
        let Some(line) = session.line().await? else { return Ok(()) };
        next = match session.mode() {
            FaultMode::Silent => return session.stay_silent().await,
            FaultMode::Busy => session.say("421 4.3.2 localhost is busy", NextStep::Close),
            _ => session.execute(&line).await?,
        };
    }
    session.flush().await
}

impl SmtpSession<'_> {
    fn mode(&self) -> FaultMode {
        *self.mode.borrow()
    }

    fn say(&mut self, answer: &str, next: NextStep) -> NextStep {
        self.answers.extend_from_slice(answer.as_bytes());
        if self.mode() == FaultMode::Latin1 {
            // `, schöne Grüße`, which is not UTF-8.
            self.answers.extend_from_slice(b", sch\xf6ne Gr\xfc\xdfe");
        }
        self.answers.extend_from_slice(b"\r\n");
        next
    }

    fn answer(&mut self, answer: &str) -> io::Result<NextStep> {
        Ok(self.say(answer, NextStep::Listen))
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.answers).await?;
        self.answers.clear();
        Ok(())
    }

    /// Reads everything and answers nothing, until the client disconnects.
    async fn stay_silent(mut self) -> io::Result<()> {
        tokio::io::copy(&mut self.reader, &mut tokio::io::sink()).await.map(drop)
    }

    /// The next line with its end; `None` at the end of the stream or when the line is too long.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.reader).take(LINE).read_until(b'\n', &mut line).await?;
        Ok(line.ends_with(b"\n").then_some(line))
    }

    async fn execute(&mut self, line: &[u8]) -> io::Result<NextStep> {
        let Some(line) = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok()) else {
            return self.answer("500 5.5.2 a line is UTF-8 and ends with CRLF");
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match &*verb.to_ascii_uppercase() {
            "EHLO" if !rest.is_empty() => {
                self.greet();
                self.answer(&format!(
                    "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE {MAIL}\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN\r\n250 SMTPUTF8"
                ))
            }
            "HELO" if !rest.is_empty() => {
                self.greet();
                self.answer("250 localhost")
            }
            "EHLO" | "HELO" => self.answer("501 5.5.4 say who you are"),
            "AUTH" if rest.starts_with("PLAIN ") => self.answer("235 2.7.0 welcome"),
            "AUTH" => self.answer("504 5.5.4 AUTH PLAIN, with the response in the same line"),
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" => self.data().await,
            "RSET" => {
                self.forget();
                self.answer("250 2.0.0 forgotten")
            }
            "NOOP" => self.answer("250 2.0.0 nothing done"),
            "VRFY" => self.answer("252 2.5.0 send it and see"),
            "QUIT" => Ok(self.say("221 2.0.0 good-bye", NextStep::Close)),
            _ => self.answer("500 5.5.1 no such command"),
        }
    }

    fn greet(&mut self) {
        self.is_greeted = true;
        self.forget();
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn mail(&mut self, rest: &str) -> io::Result<NextStep> {
        if !self.is_greeted {
            return self.answer("503 5.5.1 say EHLO first");
        }
        if self.from.is_some() {
            return self.answer("503 5.5.1 there is a mail already");
        }
        let Some((address, parameters)) = path(rest, "FROM:") else {
            return self.answer("501 5.1.7 MAIL FROM:<address>");
        };
        let mut is_utf8 = false;
        for parameter in parameters.split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (&*name.to_ascii_uppercase(), value.parse::<usize>()) {
                ("SIZE", Ok(size)) if size > MAIL => return self.answer("552 5.3.4 too big"),
                ("SIZE", Ok(_)) | ("BODY", _) => {}
                ("SMTPUTF8", _) => is_utf8 = true,
                _ => return self.answer("555 5.5.4 no such parameter"),
            }
        }
        if !address.is_ascii() && !is_utf8 {
            return self.answer("553 5.6.7 that needs SMTPUTF8");
        }
        if self.mode() == FaultMode::Refuse {
            return self.answer("451 4.3.0 not now");
        }
        self.from = Some((address.to_owned(), is_utf8));
        self.answer("250 2.1.0 go on")
    }

    fn recipient(&mut self, rest: &str) -> io::Result<NextStep> {
        let Some((_, is_utf8)) = self.from else { return self.answer("503 5.5.1 say MAIL first") };
        let Some((address, "")) = path(rest, "TO:").filter(|(address, _)| address.contains('@')) else {
            return self.answer("501 5.1.3 RCPT TO:<address>");
        };
        if !address.is_ascii() && !is_utf8 {
            return self.answer("553 5.6.7 that needs SMTPUTF8");
        }
        if self.mode() == FaultMode::Bounce {
            return self.answer("550 5.1.1 nobody of that name");
        }
        if self.mode() == FaultMode::Greylist {
            return self.answer("450 4.2.0 later");
        }
        if self.mode() == FaultMode::Latin1 && address.starts_with("bounce") {
            return self.answer("550 5.1.1 nobody of that name");
        }
        if self.to.len() == RECIPIENTS {
            return self.answer("452 4.5.3 too many");
        }
        self.to.push(address.to_owned());
        self.answer("250 2.1.5 known")
    }

    async fn data(&mut self) -> io::Result<NextStep> {
        if self.from.is_none() {
            return self.answer("503 5.5.1 say MAIL first");
        }
        if self.to.is_empty() {
            return self.answer("554 5.5.1 nobody to send it to");
        }
        self.say("354 go on, and end with a line of one dot", NextStep::Listen);
        self.flush().await?;
        let Some(data) = self.read_mail().await? else { return Ok(NextStep::Close) };
        let ((from, _), to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if data.len() > MAIL {
            return self.answer("552 5.3.4 too big");
        }
        match self.mode() {
            FaultMode::Silent => {
                tokio::io::copy(&mut self.reader, &mut tokio::io::sink()).await?;
                return Ok(NextStep::Close);
            }
            FaultMode::Busy => return Ok(self.say("421 4.3.2 localhost is busy", NextStep::Close)),
            FaultMode::Refuse => return self.answer("451 4.3.0 not now"),
            FaultMode::Cut => return Ok(NextStep::Close),
            FaultMode::CutAccepted => {
                self.store.add(&from, &to, &data, false)?;
                return Ok(NextStep::Close);
            }
            FaultMode::Slow(delay) => {
                let peer = self.reader.fill_buf();
                // A client that disconnected has not delivered it.
                if let Ok(heard) = tokio::time::timeout(delay, peer).await
                    && heard?.is_empty()
                {
                    return Ok(NextStep::Close);
                }
            }
            FaultMode::Accept | FaultMode::Bounce | FaultMode::Greylist | FaultMode::Latin1 => {}
        }
        self.store.add(&from, &to, &data, true)?;
        self.answer("250 2.0.0 accepted")
    }

    /// Reads the data up to the dot and removes the stuffed dots; `None` when the client has left. Of an e-mail that is
    /// too large only the beginning.
    async fn read_mail(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        let mut is_new_line = true;
        loop {
            let start = data.len();
            let length = (&mut self.reader).take(LINE).read_until(b'\n', &mut data).await?;
            if length == 0 {
                return Ok(None);
            }
            if is_new_line && &data[start..] == b".\r\n" {
                data.truncate(start);
                return Ok(Some(data));
            }
            let stuffed = is_new_line && data[start] == b'.';
            is_new_line = data.ends_with(b"\r\n");
            if stuffed {
                data.remove(start);
            }
            if start > MAIL {
                data.truncate(start);
            }
        }
    }
}

/// Splits `FROM:<address> parameters` into address and parameters.
fn path<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = text.split_at_checked(name.len())?;
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    start.eq_ignore_ascii_case(name).then_some((address, parameters.trim()))
}
