//! The code of a reply is significant, whatever its text is (RFC 5321 §4.2).

use super::*;

#[tokio::test]
async fn an_email_accepted_in_latin_1_is_sent_once() {
    for answer in [
        ("CONNECT", "220 Grüß Gott"),
        ("EHLO", "250-Grüße\r\n250-SIZE 10\r\n250 8BITMIME"),
        ("EHLO", "250-\r\n250 8BITMIME"),
        ("MAIL", "250 schön"),
        ("RCPT", "250"),
        ("DATA", "354 los: endet mit einem Punkt für sich"),
        ("BODY", "250 2.0.0 Nachricht übernommen"),
        ("BODY", "250-2.0.0 Nachricht\r\n250 übernommen"),
        ("BODY", "250"),
    ] {
        let stub = Stub::start(&[answer]).await;
        let smtp = stub.smtp();
        for _ in 0..2 {
            assert!(send(&smtp).await.is_ok(), "{answer:?}");
        }
        // On one connection: no reply was treated as an error.
        assert_eq!((stub.connections(), stub.received().len()), (1, 2), "{answer:?}");
    }
    let stub =
        Stub::start(&[("EHLO", "250-stub\r\n250 AUTH PLAIN"), ("AUTH", "235 schön, dass du da bist")]).await;
    let smtp = smtp(&format!("smtp://ada:hunter2@127.0.0.1:{}", stub.port));
    assert_eq!(send(&smtp).await.unwrap(), "2.0.0 taken");
}

#[tokio::test]
async fn a_long_reply_is_accepted() {
    let long: &'static str = Box::leak(format!("250 {}", "ü".repeat(3000)).into_boxed_str());
    let stub = Stub::start(&[("BODY", long)]).await;
    assert!(send(&stub.smtp()).await.unwrap().starts_with("????"));
    assert_eq!(stub.received().len(), 1);
}

#[tokio::test]
async fn a_rejection_in_latin_1_is_a_rejection() {
    for (reply, stage, status) in [
        (("CONNECT", "421 überlastet"), Stage::Connect, DeliveryStatus::Deferred),
        (("MAIL", "451 später"), Stage::Sender, DeliveryStatus::Deferred),
        (("RCPT", "450 4.2.0 später"), Stage::Recipient, DeliveryStatus::Deferred),
        (("RCPT", "550 5.1.1 unbekannter Empfänger"), Stage::Recipient, DeliveryStatus::Bounced),
        (("RCPT", "550"), Stage::Recipient, DeliveryStatus::Bounced),
        (("RCPT", "571 unerwünscht"), Stage::Recipient, DeliveryStatus::Bounced),
        (("BODY", "554 5.6.0 zurückgewiesen"), Stage::Content, DeliveryStatus::Bounced),
        (("BODY", "452 4.3.1 kein Platz für mehr"), Stage::Content, DeliveryStatus::Deferred),
    ] {
        let stub = Stub::start(&[reply]).await;
        let failure = send(&stub.smtp()).await.unwrap_err();
        assert_eq!((failure.stage, failure.status), (stage, status), "{reply:?}: {}", failure.text);
        assert!(failure.text.contains(&reply.1[..3]), "{reply:?}: {}", failure.text);
    }
    let stub = Stub::start(&[("AUTH", "535 5.7.8 ungültig")]).await;
    let failure = send(&smtp(&format!("smtp://ada:hunter2@127.0.0.1:{}", stub.port))).await.unwrap_err();
    assert_eq!((failure.stage, failure.reached), (Stage::LogIn, ServerState::No));
}
