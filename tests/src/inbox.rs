//! The e-mails of a server, with the kinds of their jobs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::json;

use crate::{Client, FakeSmtp, Mail, PASSWORD, Server, SharedServer, TestDatabase, eventually};

/// The e-mails of a server that was started [`crate::Builder::with_mail`].
pub struct Inbox {
    database: TestDatabase,
    fake_smtp: Arc<FakeSmtp>,
    /// Looks at e-mails to addresses like this only (SQL); `None` for all.
    to: Option<String>,
}

impl Inbox {
    /// The inbox of a server; panics without a fake mail server.
    pub async fn of(server: &Server) -> Self {
        let fake_smtp = Arc::clone(server.fake_smtp());
        Self { database: server.database().await, fake_smtp, to: None }
    }

    /// The inbox of one test on [`Server::shared_with_mail`]: the e-mails to its own addresses.
    pub async fn own(server: &SharedServer) -> Self {
        Self { to: Some(server.email("%")), ..Self::of(server).await }
    }

    /// Waits until all jobs of this moment are done.
    async fn wait_for_jobs(&self) {
        let id = self.database.hex("id");
        let pending = format!("SELECT {id} FROM outbox WHERE state = 'pending'");
        let jobs: HashSet<_> = self.database.texts(&pending).await.into_iter().collect();
        eventually("every mail is sent", async || {
            jobs.is_empty() || self.database.texts(&pending).await.iter().all(|job| !jobs.contains(job))
        })
        .await;
    }

    /// Waits until no job of this moment is pending; returns all e-mails in the order of their jobs, without suppressed
    /// ones.
    pub async fn mails(&self) -> Vec<Mail> {
        self.wait_for_jobs().await;
        let mut mails: HashMap<String, Mail> =
            self.fake_smtp.mails().into_iter().map(|mail| (job(&mail), mail)).collect();
        let jobs = self.jobs().await.into_iter();
        jobs.filter_map(|(id, kind)| Some(Mail { kind, ..mails.remove(&id)? })).collect()
    }

    /// Waits for the e-mail of the newest job of a kind.
    pub async fn last(&self, kind: &str) -> Mail {
        let jobs = self.jobs().await;
        let last = jobs.iter().rfind(|(_, of)| of == kind);
        let (id, _) = last.unwrap_or_else(|| panic!("no {kind} among {jobs:?}"));
        let mail = self.fake_smtp.wait_for(&format!("the last {kind}"), |mail| job(mail) == *id).await;
        Mail { kind: kind.to_owned(), ..mail }
    }

    /// Verifies the address by a password reset to [`PASSWORD`], without a session.
    pub async fn verify_email(&self, anybody: &Client, email: &str) {
        anybody.post("/api/v1/auth/password/forgot", json!({ "email": email })).await.expect(202);
        let mail = self.last("send_password_reset").await;
        assert_eq!(mail.to, email);
        let reset = json!({ "token": mail.token, "password": PASSWORD });
        anybody.post("/api/v1/auth/password/reset", reset).await.expect(200);
    }

    /// The kinds of all e-mail jobs, in order.
    pub async fn kinds(&self) -> Vec<String> {
        self.jobs().await.into_iter().map(|(_, kind)| kind).collect()
    }

    /// The e-mail jobs: ids as 32 hexadecimal digits, and kinds.
    async fn jobs(&self) -> Vec<(String, String)> {
        let id = self.database.hex("o.id");
        let own = match &self.to {
            Some(to) => {
                // The recipient of a job is known when it is done.
                self.wait_for_jobs().await;
                format!("JOIN emails e ON e.id = o.id AND e.\"to\" LIKE '{to}'")
            }
            None => String::new(),
        };
        let query = format!(
            "SELECT {id} || ' ' || o.kind FROM outbox o {own} WHERE o.queue = 'mail' ORDER BY o.created_at, o.id"
        );
        let rows = self.database.texts(&query).await;
        let jobs = rows.iter().map(|row| row.split_once(' ').expect("an id and a kind"));
        jobs.map(|(id, kind)| (id.to_owned(), kind.to_owned())).collect()
    }
}

/// The id of the job in the Message-ID.
fn job(mail: &Mail) -> String {
    mail.message_id.split('@').next().unwrap_or_default().replace('-', "")
}
