//! Everybody's mails, as they arrived.

use std::{collections::HashMap, sync::Arc};

use serde_json::json;

use crate::{Client, FakeSmtp, Mail, PASSWORD, Server, TestDatabase, eventually};

/// What a server that was started [`crate::Builder::with_mail`] has sent.
pub struct Inbox {
    database: TestDatabase,
    fake_smtp: Arc<FakeSmtp>,
}

impl Inbox {
    /// Of this server; panics when its mails go elsewhere.
    pub async fn of(server: &Server) -> Self {
        Self { database: server.database().await, fake_smtp: Arc::clone(server.fake_smtp()) }
    }

    /// All of them, in the order in which they were asked for, when none is still to be sent. Those that became needless
    /// before they were sent are missing.
    pub async fn mails(&self) -> Vec<Mail> {
        eventually("every mail is sent", async || {
            self.database.scalar("SELECT count(*) FROM outbox WHERE state = 'pending'").await == 0
        })
        .await;
        let mut mails: HashMap<String, Mail> =
            self.fake_smtp.mails().into_iter().map(|mail| (job(&mail), mail)).collect();
        let jobs = self.jobs().await.into_iter();
        jobs.filter_map(|(id, kind)| Some(Mail { kind, ..mails.remove(&id)? })).collect()
    }

    /// The one that was asked for last of a kind; waits until it is there.
    pub async fn last(&self, kind: &str) -> Mail {
        let jobs = self.jobs().await;
        let last = jobs.iter().rfind(|(_, of)| of == kind);
        let (id, _) = last.unwrap_or_else(|| panic!("no {kind} among {jobs:?}"));
        let mail = self.fake_smtp.wait_for(&format!("the last {kind}"), |mail| job(mail) == *id).await;
        Mail { kind: kind.to_owned(), ..mail }
    }

    /// Proves the mailbox `email` by a link that sets a password, which is [`PASSWORD`]: no session is needed.
    pub async fn verify_email(&self, anybody: &Client, email: &str) {
        anybody.post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(202);
        let mail = self.last("send_password_reset").await;
        assert_eq!(mail.to, email);
        let reset = json!({ "token": mail.token, "password": PASSWORD });
        anybody.post("/api/v1/auth/password/reset", reset).await.expect(200);
    }

    /// The kinds of all that were asked for, in their order.
    pub async fn kinds(&self) -> Vec<String> {
        self.jobs().await.into_iter().map(|(_, kind)| kind).collect()
    }

    /// What asks for mails: ids, as 32 hexadecimal digits, and kinds.
    async fn jobs(&self) -> Vec<(String, String)> {
        let id = self.database.hex("id");
        let query =
            format!("SELECT {id} || ' ' || kind FROM outbox WHERE queue = 'mail' ORDER BY created_at, id");
        let rows = self.database.texts(&query).await;
        let jobs = rows.iter().map(|row| row.split_once(' ').expect("an id and a kind"));
        jobs.map(|(id, kind)| (id.to_owned(), kind.to_owned())).collect()
    }
}

/// The job that a mail names in its Message-ID.
fn job(mail: &Mail) -> String {
    mail.message_id.split('@').next().unwrap_or_default().replace('-', "")
}
