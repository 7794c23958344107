//! Steps of superusers with accounts, organizations, jobs and e-mails.

use insula_tests::{Builder, Client, JobFixture, PASSWORD, Server};
use serde_json::{Value, json};

use super::walk::{Walk, text};

const NOBODY: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

pub(crate) async fn walk(server: Builder) -> Walk {
    let (server, root) = server.start_with_superuser().await;
    let mut walk = Walk::through(&server).await;
    users(&mut walk, &server, &root).await;
    let acme = organizations(&mut walk, &root).await;
    jobs(&mut walk, &root, &acme).await;
    walk.finish(server).await
}

async fn users(walk: &mut Walk, server: &Server, root: &Client) {
    let log_in = async |name: &str| server.client().log_in(&format!("{name}@example.com"), PASSWORD).await;
    let draft = json!({ "email": "ada@example.com", "password": PASSWORD, "first_name": "Augusta" });
    let ada = text(&walk.step(root, "createUser", &[], draft).await, "id");
    let draft = json!({ "email": "ops@example.com", "password": PASSWORD, "is_superuser": true });
    let ops = text(&walk.step(root, "createUser.operator", &[], draft).await, "id");
    walk.step(root, "updateUser", &[&ada], json!({ "last_name": "Lovelace", "locale": "en-GB" })).await;
    walk.step(root, "updateUser.demoted", &[&ops], json!({ "is_superuser": false })).await;
    walk.step(root, "updateUser.promoted", &[&ops], json!({ "is_superuser": true, "locale": "en-GB" })).await;
    log_in("ada").await;
    walk.step(root, "updateUser.address", &[&ada], json!({ "email": "countess@example.com" })).await;

    for _ in 0..2 {
        log_in("countess").await;
    }
    walk.step(root, "revokeUserSessions", &[&ada], Value::Null).await;
    log_in("countess").await;
    walk.step(root, "deactivateUser", &[&ada], Value::Null).await;
    walk.again(root, "deactivateUser", &[&ada], Value::Null).await;
    walk.step(root, "activateUser", &[&ada], Value::Null).await;
    walk.again(root, "activateUser", &[&ada], Value::Null).await;
    log_in("countess").await;
    walk.step(root, "deleteUser", &[&ada], Value::Null).await;
    walk.step(root, "restoreUser", &[&ada], Value::Null).await;

    // One user has two sessions, one has none, and one does not exist.
    let draft = json!({ "email": "eve@example.com", "password": PASSWORD });
    let eve = text(&root.post("/api/v1/admin/users", draft).await.expect(201), "id");
    let _sessions = (log_in("countess").await, log_in("countess").await);
    for action in ["deactivate", "activate", "delete", "restore"] {
        let many = json!({ "action": action, "ids": [ada, NOBODY, eve] });
        walk.step(root, &format!("changeUsers.{action}"), &[], many).await;
    }
}

/// Gives the id of one.
async fn organizations(walk: &mut Walk, root: &Client) -> String {
    let draft = json!({ "name": "Acme", "slug": "acme", "owner_email": "countess@example.com" });
    let acme = text(&walk.step(root, "createOrganizationFor", &[], draft).await, "id");
    walk.step(root, "updateAnyOrganization", &[&acme], json!({ "name": "Acme & Sons" })).await;
    for step in ["suspendOrganization", "resumeOrganization"] {
        walk.step(root, step, &[&acme], Value::Null).await;
        walk.again(root, step, &[&acme], Value::Null).await;
    }
    walk.step(root, "deleteAnyOrganization", &[&acme], Value::Null).await;
    walk.step(root, "restoreAnyOrganization", &[&acme], Value::Null).await;
    acme
}

async fn jobs(walk: &mut Walk, root: &Client, acme: &str) {
    let ours =
        |number, state| JobFixture { organization: Some(acme.to_owned()), ..JobFixture::new(number, state) };
    let (dead, sent, late) =
        (ours(1, "dead"), ours(2, "done"), JobFixture { is_waiting: true, ..ours(3, "pending") });
    let platforms = JobFixture::new(4, "dead");
    for job in [&dead, &sent, &late, &platforms] {
        walk.database().insert_job(job).await;
        walk.database().insert_email(job, "bird@example.com", "sent").await;
    }
    walk.step(root, "retryJob", &[&dead.id()], Value::Null).await;
    walk.again(root, "retryJob", &[&dead.id()], Value::Null).await;
    walk.step(root, "cancelJob", &[&dead.id()], Value::Null).await;
    walk.again(root, "cancelJob", &[&dead.id()], Value::Null).await;
    walk.step(root, "deleteJob", &[&dead.id()], Value::Null).await;
    walk.step(root, "deleteJob.platform", &[&platforms.id()], Value::Null).await;
    walk.step(root, "resendEmail", &[&sent.id()], Value::Null).await;
    walk.step(root, "resendEmail.waiting", &[&late.id()], Value::Null).await;
    for step in ["pauseQueue", "resumeQueue"] {
        walk.step(root, step, &["mail"], Value::Null).await;
        walk.again(root, step, &["mail"], Value::Null).await;
    }
}
