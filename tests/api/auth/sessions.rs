//! Sessions: the list of a user's sessions, and how they are revoked.

use insula_tests::{Client, PASSWORD, Server, SharedServer, concurrently, eventually};
use serde_json::Value;

const ME: &str = "/api/v1/users/me";
const SESSIONS: &str = "/api/v1/users/me/sessions";

/// One user on two devices.
async fn ada() -> (SharedServer, Client, Client) {
    let server = Server::shared().await;
    let (phone, laptop) = devices_of_ada(&server, &server.email("ada")).await;
    (server, phone, laptop)
}

/// The same for tests of a whole server.
async fn ada_alone() -> (Server, Client, Client) {
    let server = Server::start().await;
    let (phone, laptop) = devices_of_ada(&server, "ada@example.com").await;
    (server, phone, laptop)
}

async fn devices_of_ada(server: &Server, email: &str) -> (Client, Client) {
    let phone = server.client().with("user-agent", "phone").register(email).await;
    let laptop = server.client().with("user-agent", "laptop").log_in(email, PASSWORD).await;
    (phone, laptop)
}

/// The jobs of this kind for a user.
async fn jobs(server: &Server, user: &Client, kind: &str) -> i64 {
    let me = user.get(ME).await.expect(200);
    let id = me["id"].as_str().unwrap();
    let jobs = format!("SELECT count(*) FROM outbox WHERE kind = '{kind}' AND payload LIKE '%{id}%'");
    server.database().await.scalar(&jobs).await
}

/// The sessions that `client` sees: the devices, and which one is current.
async fn devices(client: &Client) -> Vec<(String, bool)> {
    let sessions = client.get(SESSIONS).await.expect(200);
    let device = |session: &Value| {
        (session["user_agent"].as_str().unwrap().to_owned(), session["is_current"].as_bool().unwrap())
    };
    sessions["data"].as_array().unwrap().iter().map(device).collect()
}

async fn is_out(client: &Client) -> bool {
    let reply = client.get(ME).await;
    if reply.status == 200 {
        return false;
    }
    reply.problem(401, "INVALID_TOKEN");
    true
}

#[tokio::test]
async fn each_device_is_listed_the_newest_first_and_this_one_is_marked() {
    let (_server, phone, laptop) = ada().await;
    assert_eq!(devices(&phone).await, [("laptop".into(), false), ("phone".into(), true)]);
    assert_eq!(devices(&laptop).await, [("laptop".into(), true), ("phone".into(), false)]);
}

#[tokio::test]
async fn a_device_can_have_a_name() {
    let (server, phone, _) = ada().await;
    let log_in = |name: &str| {
        let who =
            serde_json::json!({ "email": server.email("ada"), "password": PASSWORD, "device_name": name });
        server.client().post("/api/v1/auth/login", who)
    };
    log_in(" Ada's tablet ").await.expect(200);
    let names = async || {
        let sessions = phone.get(SESSIONS).await.expect(200);
        sessions["data"].as_array().unwrap().iter().map(|one| one["device_name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, [Value::from("Ada's tablet"), Value::Null, Value::Null]);
    assert_eq!(log_in("a\u{7}b").await.faults(), ["device_name INVALID_FORMAT"]);
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest() {
    let server = Server::builder().env("INSULA_MAX_SESSIONS", "3").start().await;
    let oldest = server.client().register("ada@example.com").await;
    let eve = server.client().register("eve@example.com").await;
    let mut devices = Vec::new();
    for _ in 0..2 {
        devices.push(server.client().log_in("ada@example.com", PASSWORD).await);
        assert!(!is_out(&oldest).await);
    }
    devices.push(server.client().log_in("ada@example.com", PASSWORD).await);
    assert!(is_out(&oldest).await && !is_out(&eve).await);
    for device in &devices {
        assert!(!is_out(device).await);
    }
}

#[tokio::test]
async fn sixteen_concurrent_logins_leave_the_maximum_number_of_sessions() {
    let settings = [("INSULA_MAX_SESSIONS", "3"), ("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60")];
    let mut builder = Server::builder();
    for (name, value) in settings {
        builder = builder.env(name, value);
    }
    let server = builder.start().await;
    server.client().register("ada@example.com").await;
    let anybody = server.client();
    concurrently(16, |_| {
        let anybody = anybody.clone();
        async move {
            let who = serde_json::json!({ "email": "ada@example.com", "password": PASSWORD });
            // Few passwords can be hashed concurrently; refused requests are repeated.
            while anybody.post("/api/v1/auth/login", who.clone()).await.status == 503 {}
        }
    })
    .await;
    let living = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL";
    assert_eq!(server.database().await.scalar(living).await, 3);
}

#[tokio::test]
async fn a_new_device_is_reported_once() {
    let (server, phone, laptop) = ada().await;
    let (server, email) = (&server, &*server.email("ada"));
    let mails = async || jobs(server, &phone, "send_new_device").await;
    // The first device is not reported; the second one, the laptop, was.
    assert_eq!(mails().await, 1);
    for device in ["phone", "laptop"] {
        server.client().with("user-agent", device).log_in(email, PASSWORD).await;
    }
    assert_eq!(mails().await, 1);
    let tablet = server.client().with("user-agent", "tablet");
    concurrently(4, |_| {
        let tablet = tablet.clone();
        let email = email.to_owned();
        async move { tablet.log_in(&email, PASSWORD).await }
    })
    .await;
    assert_eq!(mails().await, 2, "of four at once on one device");
    // Also when its sessions have ended.
    laptop.delete(SESSIONS).await.expect(204);
    let tablet = tablet.log_in(email, PASSWORD).await;
    assert_eq!(jobs(server, &tablet, "send_new_device").await, 2);
}

#[tokio::test]
async fn a_logout_revokes_this_session_only() {
    let (server, phone, laptop) = ada().await;
    phone.request("POST", "/api/v1/auth/logout").await.expect(204);
    assert!(is_out(&phone).await && !is_out(&laptop).await);
    // Once is enough.
    phone.request("POST", "/api/v1/auth/logout").await.problem(401, "INVALID_TOKEN");
    assert_eq!(devices(&laptop).await.len(), 1);
    let events = format!(
        "SELECT count(*) FROM audit_events WHERE action = 'session.revoked' AND actor_id IN {}",
        server.own_users()
    );
    assert_eq!(server.database().await.scalar(&events).await, 1);
}

#[tokio::test]
async fn logout_all_revokes_all_sessions_of_the_user_only() {
    let (server, phone, laptop) = ada().await;
    let eve = server.register("eve").await;
    laptop.request("POST", "/api/v1/auth/logout-all").await.expect(204);
    assert!(is_out(&phone).await && is_out(&laptop).await && !is_out(&eve).await);
    server.client().log_in(&server.email("ada"), PASSWORD).await;
}

#[tokio::test]
async fn one_device_revokes_another_and_all_others() {
    let (server, phone, laptop) = ada().await;
    let sessions = phone.get(SESSIONS).await.expect(200);
    let other = sessions["data"][0]["id"].as_str().unwrap();
    phone.delete(&format!("{SESSIONS}/{other}")).await.expect(204);
    assert!(is_out(&laptop).await && !is_out(&phone).await);
    phone.delete(&format!("{SESSIONS}/{other}")).await.problem(404, "NOT_FOUND");

    let tablet = server.client().log_in(&server.email("ada"), PASSWORD).await;
    phone.delete(SESSIONS).await.expect(204);
    assert!(is_out(&tablet).await && !is_out(&phone).await);
    // Nothing is left to end, and that is as well.
    phone.delete(SESSIONS).await.expect(204);
}

#[tokio::test]
async fn a_user_cannot_revoke_the_session_of_another_user() {
    let (server, phone, _) = ada().await;
    let eve = server.register("eve").await;
    let sessions = phone.get(SESSIONS).await.expect(200);
    for session in sessions["data"].as_array().unwrap() {
        let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
        eve.delete(&path).await.problem(404, "NOT_FOUND");
    }
    assert_eq!(devices(&phone).await.len(), 2);
}

#[tokio::test]
async fn the_last_use_of_a_device_is_stored_before_the_process_ends() {
    let (server, phone, _) = ada_alone().await;
    // The database goes with its last user, and the server is about to end.
    let env = server.test_env().clone();
    let database = env.database().await;
    database.execute("UPDATE sessions SET last_seen_at = created_at").await;
    phone.get(ME).await.expect(200);
    assert!(server.terminate().await.status.success());
    let used = "SELECT user_agent FROM sessions WHERE last_seen_at > created_at";
    assert_eq!(database.texts(used).await, ["phone"]);
}

#[tokio::test]
async fn the_worker_inside_the_server_removes_what_has_expired_and_nothing_else() {
    let (server, _, _) = ada_alone().await;
    let database = server.database().await;
    let expire = "UPDATE sessions SET expires_at = created_at WHERE user_agent = 'phone'";
    assert_eq!(database.execute(expire).await, 1);
    database.make_due("expire-sessions").await;
    eventually("the expired session is gone", async || {
        database.scalar("SELECT count(*) FROM sessions WHERE user_agent = 'phone'").await == 0
    })
    .await;
    assert_eq!(database.scalar("SELECT count(*) FROM sessions").await, 1);
}

#[tokio::test]
async fn a_login_without_a_user_agent_is_reported_too() {
    let (server, phone, _) = ada().await;
    let mails = async || jobs(&server, &phone, "send_new_device").await;
    let before = mails().await;
    for _ in 0..2 {
        server.client().log_in(&server.email("ada"), PASSWORD).await;
        assert_eq!(mails().await, before + 1);
    }
}

#[tokio::test]
async fn two_tabs_can_log_out_at_once() {
    let (server, _, _) = ada().await;
    for _ in 0..8 {
        let phone = server.client().log_in(&server.email("ada"), PASSWORD).await;
        let tabs = concurrently(4, |_| {
            let phone = phone.clone();
            async move { phone.request("POST", "/api/v1/auth/logout").await.status }
        });
        let answers = tabs.await;
        assert!(
            answers.contains(&204) && answers.iter().all(|status| [204, 401].contains(status)),
            "{answers:?}"
        );
    }
}
