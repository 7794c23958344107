//! Clients that keep the program busy during faults.

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
    acknowledged::{Acknowledged, RequestKind},
    client::{Answer, ChaosClient},
};

/// Number of concurrent clients.
const CLIENTS: u64 = 5;

pub(crate) struct Load {
    clients: JoinSet<()>,
    is_over: Arc<AtomicBool>,
}

/// One client.
struct LoadClient {
    anonymous: ChaosClient,
    owner: ChaosClient,
    acknowledged: Arc<Acknowledged>,
    rng: TestRng,
    /// Number for the next unique name.
    names: Arc<AtomicU64>,
    /// Users without a password reset: a second reset would revoke the first link, whose e-mail would not be sent.
    users: Vec<String>,
    organizations: Vec<String>,
}

impl Load {
    /// `owner` is logged in and may create organizations.
    pub(crate) fn start(
        anonymous: &ChaosClient,
        owner: &ChaosClient,
        acknowledged: &Arc<Acknowledged>,
        seed: u64,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let names = Arc::new(AtomicU64::new(1));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let mut client = LoadClient {
                anonymous: anonymous.clone(),
                owner: owner.clone(),
                acknowledged: Arc::clone(acknowledged),
                rng: TestRng::new(seed ^ (number << 32)),
                names: Arc::clone(&names),
                users: Vec::new(),
                organizations: Vec::new(),
            };
            let is_over = Arc::clone(&is_over);
            clients.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    client.send_one().await;
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

impl LoadClient {
    async fn send_one(&mut self) {
        match self.rng.below(10) {
            0..6 => self.register().await,
            6 | 7 => self.reset_password().await,
            8 => self.create_organization().await,
            _ => self.create_project().await,
        }
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    async fn register(&mut self) {
        let email = format!("{}@example.com", self.name("user"));
        if self.anonymous.register(&email).await.is_some() {
            self.acknowledged.add(RequestKind::Register, &email);
            self.users.push(email);
        }
    }

    async fn reset_password(&mut self) {
        let Some(email) = self.users.pop() else { return };
        if self.anonymous.post("/auth/password/forgot", &json!({ "email": email }), &[202]).await.is(202) {
            self.acknowledged.add(RequestKind::ResetPassword, &email);
        }
    }

    async fn create_organization(&mut self) {
        let slug = self.name("org-");
        let body = json!({ "name": slug, "slug": slug });
        if self.retry_until_created("/organizations", &slug, &body).await {
            self.acknowledged.add(RequestKind::CreateOrganization, &slug);
            self.organizations.push(slug);
        }
    }

    async fn create_project(&mut self) {
        let Some(slug) = self.organizations.last().cloned() else { return };
        let code = self.name("P");
        let body = json!({ "code": code, "name": code });
        if self.retry_until_created(&format!("/organizations/{slug}/projects"), &code, &body).await {
            self.acknowledged.add(RequestKind::CreateProject, &code);
        }
    }

    /// Repeats a request with one Idempotency-Key until a 201.
    async fn retry_until_created(&self, path: &str, key: &str, body: &Value) -> bool {
        for _ in 0..60 {
            // 409: the first request is still running.
            match self.owner.ask(Method::POST, path, Some(key), Some(body), &[201, 409]).await {
                Answer::Response(201, _) => return true,
                Answer::Response(503 | 409, _) | Answer::NoResponse => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Answer::Response(..) => return false,
            }
        }
        self.acknowledged.record_unexpected(format!("POST {path}: no answer to sixty tries"));
        false
    }
}
