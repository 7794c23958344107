//! Mails, before there is a mailbox: what the outbox holds, with the tokens as they will be mailed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::{Server, Vault};

/// Everybody's mails.
pub struct Inbox {
    vault: Vault,
    key: [u8; 32],
}

/// One mail that waits to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Its kind: `send_password_reset`.
    pub kind: String,
    /// The address it goes to; for a change of address, the new one.
    pub to: String,
    /// What its link carries; empty when it has none.
    pub token: String,
}

impl Inbox {
    /// Of a server that made its own secret key.
    pub async fn of(server: &Server) -> Self {
        let master = std::fs::read_to_string(server.workplace().folder().join("secret.key")).expect("a key");
        let mut key = [0; 32];
        let derived =
            Hkdf::<Sha256>::new(Some(b"insula"), master.trim().as_bytes()).expand(b"email", &mut key);
        derived.expect("32 bytes");
        Self { vault: server.vault().await, key }
    }

    /// All of them, in the order in which they were asked for.
    pub async fn mails(&self) -> Vec<Mail> {
        let rows =
            self.vault.texts("SELECT kind || ' ' || payload FROM outbox ORDER BY created_at, id").await;
        let mut mails = Vec::new();
        for row in rows {
            let (kind, payload) = row.split_once(' ').expect("a kind and a payload");
            mails.push(self.mail(kind, &serde_json::from_str(payload).expect("JSON")).await);
        }
        mails
    }

    /// The newest of a kind.
    pub async fn last(&self, kind: &str) -> Mail {
        let mails = self.mails().await;
        let last = mails.iter().rfind(|mail| mail.kind == kind);
        last.unwrap_or_else(|| panic!("no {kind} among {mails:?}")).clone()
    }

    /// The kinds of all, in their order.
    pub async fn kinds(&self) -> Vec<String> {
        self.mails().await.into_iter().map(|mail| mail.kind).collect()
    }

    async fn mail(&self, kind: &str, payload: &Value) -> Mail {
        let purpose = match kind {
            "send_verification" => "verify",
            "send_password_reset" => "reset",
            "send_email_change" => "email",
            "send_email_change_notice" => "undo",
            _ => "",
        };
        let (table, id) = match payload["token"].as_str() {
            Some(token) => ("one_time_tokens", token),
            None => ("users", payload["user"].as_str().expect("a user")),
        };
        let hex = id.replace('-', "");
        let to = format!("SELECT email FROM {table} WHERE {} = '{hex}'", self.vault.hex("id"));
        let to = self.vault.text(&to).await;
        let token = if purpose.is_empty() { String::new() } else { self.token(purpose, id) };
        Mail { kind: kind.to_owned(), to, token }
    }

    fn token(&self, purpose: &str, id: &str) -> String {
        let id: uuid::Uuid = id.parse().expect("an id");
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(id.as_bytes());
        URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &mac.finalize().into_bytes()].concat())
    }
}
