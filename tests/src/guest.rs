//! People who are invited: what the mail to them says.

use serde_json::{Value, json};

use crate::{Client, Reply, Server, eventually};

impl Server {
    /// The mails that were kept for this address, the newest first; of a server that sends none.
    pub async fn kept_mails(&self, to: &str) -> Vec<Value> {
        let list = self.client().get("/dev/mail").header("accept", "application/json").await.expect(200);
        let mails = list["data"].as_array().expect("mails").iter();
        mails.filter(|mail| mail["to"] == to).cloned().collect()
    }

    /// The token of the newest invitation for this address, when `number` of them have been mailed.
    pub async fn invitation(&self, to: &str, number: usize) -> String {
        let mut tokens = Vec::new();
        eventually(&format!("{number} invitations of {to}"), async || {
            let mails = self.kept_mails(to).await;
            tokens = mails.iter().filter_map(|mail| token(mail["text"].as_str()?)).collect();
            tokens.len() == number
        })
        .await;
        tokens.swap_remove(0)
    }
}

impl Client {
    /// Invites somebody into an organization.
    pub async fn invite(&self, slug: &str, email: &str, roles: &[&str]) -> Reply {
        let draft = json!({ "email": email, "roles": roles });
        self.post(&format!("/api/v1/organizations/{slug}/invitations"), draft).await
    }

    /// Says yes by a token, with nothing but what is in `body`.
    pub async fn accept(&self, token: &str, body: Value) -> Reply {
        let mut body = body;
        body["token"] = token.into();
        self.post("/api/v1/invitations/accept", body).await
    }
}

fn token(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("/accept#token=")?;
    Some(rest.split_whitespace().next()?.to_owned())
}
