//! Clients who keep the program busy while it is broken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use insula_tests::TestRng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    caller::{Answer, Caller},
    ledger::{Deed, Ledger},
};

/// How many at once.
const CLIENTS: u64 = 5;

pub(crate) struct Load {
    clients: JoinSet<()>,
    is_over: Arc<AtomicBool>,
}

/// One of them.
struct Client {
    anybody: Caller,
    founder: Caller,
    ledger: Arc<Ledger>,
    rng: TestRng,
    /// Names that nobody else gives.
    names: Arc<AtomicU64>,
    /// Who has not asked for a new password yet: a second link would end the first, whose mail would not be sent.
    people: Vec<String>,
    organizations: Vec<String>,
}

impl Load {
    /// `founder`: who is signed in and may found organizations.
    pub(crate) fn start(anybody: &Caller, founder: &Caller, ledger: &Arc<Ledger>, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let names = Arc::new(AtomicU64::new(1));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let mut client = Client {
                anybody: anybody.clone(),
                founder: founder.clone(),
                ledger: Arc::clone(ledger),
                rng: TestRng::new(seed ^ (number << 32)),
                names: Arc::clone(&names),
                people: Vec::new(),
                organizations: Vec::new(),
            };
            let is_over = Arc::clone(&is_over);
            clients.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    client.act().await;
                    let pause = client.rng.duration_between(50, 400);
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { clients, is_over }
    }

    /// Stops the clients, each after the answer to its last request.
    pub(crate) async fn stop(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}

impl Client {
    async fn act(&mut self) {
        match self.rng.below(10) {
            0..6 => self.register().await,
            6 | 7 => self.reset().await,
            8 => self.create_organization().await,
            _ => self.plan().await,
        }
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    async fn register(&mut self) {
        let email = format!("{}@example.com", self.name("user"));
        if self.anybody.register(&email).await.is_some() {
            self.ledger.acknowledge(Deed::Register, &email);
            self.people.push(email);
        }
    }

    async fn reset(&mut self) {
        let Some(email) = self.people.pop() else { return };
        if self.anybody.post("/auth/password/forgot", &json!({ "email": email }), &[202]).await.is(202) {
            self.ledger.acknowledge(Deed::Reset, &email);
        }
    }

    async fn create_organization(&mut self) {
        let slug = self.name("org-");
        let body = json!({ "name": slug, "slug": slug });
        if self.insist("/organizations", &slug, &body).await {
            self.ledger.acknowledge(Deed::Found, &slug);
            self.organizations.push(slug);
        }
    }

    async fn plan(&mut self) {
        let Some(slug) = self.organizations.last().cloned() else { return };
        let code = self.name("P");
        let body = json!({ "code": code, "name": code });
        if self.insist(&format!("/organizations/{slug}/projects"), &code, &body).await {
            self.ledger.acknowledge(Deed::Plan, &code);
        }
    }

    /// Asks with one Idempotency-Key until it is told that it was done.
    async fn insist(&self, path: &str, key: &str, body: &Value) -> bool {
        for _ in 0..60 {
            // 409: the one before is still being worked on.
            match self.founder.ask(Method::POST, path, Some(key), Some(body), &[201, 409]).await {
                Answer::Of(201, _) => return true,
                Answer::Of(503 | 409, _) | Answer::Cut => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Answer::Of(..) => return false,
            }
        }
        self.ledger.complain(format!("POST {path}: no answer to sixty tries"));
        false
    }
}
