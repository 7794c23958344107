//! Rate limits: a client with too many requests waits, and no other client does.

use insula_tests::{Browser, Client, Reply, Server, TestEnv, concurrently, redis};
use serde_json::json;

const ME: &str = "/api/v1/users/me";
const LOG_IN: &str = "/api/v1/auth/login";

/// Refused for a while, which it says in every way.
#[track_caller]
fn refused(reply: &Reply) -> u64 {
    let problem = reply.problem(429, "RATE_LIMITED");
    let wait = reply.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(problem["retry_after"], wait);
    assert!(wait >= 1, "{wait}");
    wait
}

async fn guess(client: &Client) -> Reply {
    client.post(LOG_IN, json!({ "email": "ada@example.com", "password": "a wrong guess" })).await
}

#[tokio::test]
async fn logins_of_one_ip_address_are_counted_with_any_result() {
    let server = Server::builder().env("INSULA_LIMIT_LOG_IN", "3/h").start().await;
    let anybody = server.client();
    let first = guess(&anybody).await;
    first.problem(401, "INVALID_CREDENTIALS");
    let policy = first.header("ratelimit-policy").unwrap();
    assert!(policy.contains(r#""log_in";q=3;w=3600"#), "{policy}");
    assert!(
        first.header("ratelimit").unwrap().contains(r#""log_in";r=2;t=1200"#),
        "{:?}",
        first.header("ratelimit")
    );
    anybody.post(LOG_IN, json!({ "nonsense": true })).await.problem(422, "VALIDATION_FAILED");
    guess(&anybody).await.problem(401, "INVALID_CREDENTIALS");
    let fourth = guess(&anybody).await;
    let wait = refused(&fourth);
    assert!((1190..=1200).contains(&wait), "{wait}");
    assert!(fourth.header("ratelimit").unwrap().contains(r#""log_in";r=0;t="#));
    // Requests other than logins continue.
    let person = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    anybody.post("/api/v1/auth/register", person).await.expect(201);
}

/// Another spelling of a path is another path, without a limit and without a route.
#[tokio::test]
async fn no_spelling_of_a_path_gets_around_a_limit() {
    let server = Server::builder().env("INSULA_LIMIT_LOG_IN", "1/h").start().await;
    let anybody = server.client();
    guess(&anybody).await;
    for path in ["//api/v1/auth/login", "/api/v1/auth/%6cogin", "/api/v1/auth/login/", "/api/v1/auth/LOGIN"] {
        let body = json!({ "email": "ada@example.com", "password": "a wrong guess" });
        anybody.post(path, body).await.problem(404, "NOT_FOUND");
    }
    refused(&anybody.post(&format!("{LOG_IN}?x=1"), json!({})).await);
    refused(&guess(&anybody).await);
}

#[tokio::test]
async fn each_user_has_separate_limits_for_reads_and_writes() {
    let server =
        Server::builder().env("INSULA_LIMIT_READ", "2/h").env("INSULA_LIMIT_WRITE", "1/h").start().await;
    let (ada, eve) = (
        server.client().register("ada@example.com").await,
        server.client().register("eve@example.com").await,
    );
    ada.get(ME).await.expect(200);
    ada.get("/api/v1/users/me/sessions").await.expect(200);
    refused(&ada.get(ME).await);
    // Another session belongs to the same user.
    refused(&server.client().log_in("ada@example.com", insula_tests::PASSWORD).await.get(ME).await);
    ada.patch(ME, json!({ "first_name": "Ada" })).await.expect(200);
    refused(&ada.patch(ME, json!({ "first_name": "Countess" })).await);
    eve.get(ME).await.expect(200);
    // A caller without permission is refused and uses up no limit.
    server.client().bearer("nonsense").get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn an_organization_has_quotas_that_its_members_share() {
    let builder = Server::builder().env("INSULA_LIMIT_INVITATIONS", "3/h").env("INSULA_LIMIT_EXPORT", "1/h");
    let server = builder.start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    ada.create_organization("other").await;
    ada.invite("acme", "one@example.com", &["viewer"]).await.expect(201);
    let drafts: Vec<_> = ["two", "three", "four"]
        .map(|name| json!({ "email": format!("{name}@example.com"), "roles": ["viewer"] }))
        .into();
    let outcomes =
        ada.post("/api/v1/organizations/acme/invitations/bulk", json!({ "invitations": drafts })).await;
    let outcomes = outcomes.expect(207);
    let statuses: Vec<_> =
        outcomes["data"].as_array().unwrap().iter().map(|outcome| outcome["status"].clone()).collect();
    assert_eq!(statuses, [201, 201, 429]);
    assert_eq!(outcomes["data"][2]["error"]["error"], "RATE_LIMITED", "{outcomes}");
    refused(&ada.invite("acme", "five@example.com", &["viewer"]).await);
    ada.invite("other", "five@example.com", &["viewer"]).await.expect(201);
    let export = "/api/v1/organizations/acme/exports/audit-events.jsonl";
    ada.get(export).await;
    refused(&ada.get(export).await);
}

#[tokio::test]
async fn the_limit_of_an_email_address_holds_for_many_ip_addresses() {
    let server = Server::builder()
        .env("INSULA_LIMIT_MAILBOX", "2/h")
        .env("INSULA_TRUSTED_PROXIES", "127.0.0.0/8")
        .with_mail()
        .start()
        .await;
    let ask = async |from: &str, email: &str| {
        let client = server.client().with("x-forwarded-for", from);
        client.post("/api/v1/auth/password/forgot", json!({ "email": email })).await
    };
    ask("203.0.113.1", "ada@example.com").await.expect(202);
    ask("203.0.113.2", "ADA@example.com").await.expect(202);
    refused(&ask("203.0.113.3", "ada@example.com").await);
    // Whether there is an account makes no difference.
    ask("203.0.113.4", "nobody@example.com").await.expect(202);
}

#[tokio::test]
async fn a_session_is_refreshed_by_a_quota_of_its_own() {
    let server = Server::builder().env("INSULA_LIMIT_REFRESH", "2/h").start().await;
    server.client().register("ada@example.com").await;
    let log_in = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    let signed_in = server.client().post(LOG_IN, log_in.clone()).await.expect(200);
    let mut token = signed_in["refresh_token"].clone();
    for _ in 0..2 {
        let refreshed = server.client().post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await;
        token = refreshed.expect(200)["refresh_token"].clone();
    }
    refused(&server.client().post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await);
    let other = server.client().post(LOG_IN, log_in).await.expect(200)["refresh_token"].clone();
    server.client().post("/api/v1/auth/refresh", json!({ "refresh_token": other })).await.expect(200);
}

/// Leftmost entries, malformed ones, and those that are not from a proxy are ignored.
#[tokio::test]
async fn a_forged_address_is_not_counted_as_another_one() {
    let server = Server::builder().env("INSULA_LIMIT_LOG_IN", "2/h").start().await;
    let from = |value: &str| server.client().with("x-forwarded-for", value);
    guess(&from("203.0.113.1")).await;
    guess(&from("203.0.113.2")).await;
    refused(&guess(&from("203.0.113.3")).await);

    let behind = Server::builder()
        .env("INSULA_LIMIT_LOG_IN", "2/h")
        .env("INSULA_TRUSTED_PROXIES", "127.0.0.1")
        .start()
        .await;
    let from = |value: &str| behind.client().with("x-forwarded-for", value);
    guess(&from("6.6.6.6, 203.0.113.1")).await;
    guess(&from("7.7.7.7, 203.0.113.1")).await;
    refused(&guess(&from("8.8.8.8, 203.0.113.1")).await);
    guess(&from("203.0.113.9")).await.problem(401, "INVALID_CREDENTIALS");
    // One customer has a whole /64.
    for last in 1..=2 {
        guess(&from(&format!("2001:db8::{last}"))).await;
    }
    refused(&guess(&from("2001:db8:0:0:9999::1")).await);
    guess(&from("2001:db8:0:1::1")).await.problem(401, "INVALID_CREDENTIALS");
    // The log has the IP address of the client, too.
    let count = "SELECT count(*) FROM audit_personal WHERE ip = '203.0.113.1'";
    assert!(behind.database().await.scalar(count).await >= 1);
}

/// As many as the quota says get through, on however many processes, and where nobody counts for all each its part.
#[tokio::test]
async fn two_processes_share_what_there_is() {
    const QUOTA: usize = 20;
    let env = TestEnv::new().await;
    let mut servers = Vec::new();
    for _ in 0..2 {
        let mut builder = Server::builder().test_env(&env).env("INSULA_LIMIT_LOG_IN", &format!("{QUOTA}/h"));
        builder = match redis() {
            Some(address) => builder.env("REDIS_URL", &format!("redis://{address}")),
            None => builder.env("INSULA_REPLICAS", "2"),
        };
        // On a busy machine Redis takes its time; and other tests use it too.
        builder = builder.env("INSULA_REDIS_TIMEOUT", "30");
        servers.push(builder.env("INSULA_TRUSTED_PROXIES", "127.0.0.1").start().await);
    }
    let address = format!("198.51.100.{}", std::process::id() % 250);
    let clients: Vec<_> =
        servers.iter().map(|server| server.client().with("x-forwarded-for", &address)).collect();
    let replies = concurrently(4 * QUOTA, |number| {
        let client = clients[number % 2].clone();
        async move { client.post(LOG_IN, json!({})).await.status }
    });
    let replies = replies.await;
    assert_eq!(replies.iter().filter(|status| **status == 422).count(), QUOTA, "{replies:?}");
    assert_eq!(replies.iter().filter(|status| **status == 429).count(), 3 * QUOTA);
}

/// Never everything, and never a failure.
#[tokio::test]
async fn without_redis_each_process_allows_its_part() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", nobody.local_addr().unwrap());
    let server = Server::builder()
        .env("INSULA_LIMIT_LOG_IN", "4/h")
        .env("INSULA_REPLICAS", "2")
        .env("REDIS_URL", &url)
        .start()
        .await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.client().post(LOG_IN, json!({})).await.status);
    }
    assert_eq!(statuses, [422, 422, 429, 429]);
}

/// Guesses at an account until it is refused; how often it was not. A slow machine may take longer for one than the wait is.
async fn guess_on(server: &Server, email: &str) -> u32 {
    for wrong in 0..30 {
        // From any address it is the same account.
        let thief = server.client().with("x-forwarded-for", &format!("198.51.100.{wrong}"));
        let reply = thief.post(LOG_IN, json!({ "email": email, "password": "a wrong guess" })).await;
        if reply.status == 429 {
            refused(&reply);
            return wrong;
        }
        reply.problem(401, "INVALID_CREDENTIALS");
    }
    panic!("nobody has to wait");
}

/// After five wrong passwords, whether the account exists or not. Its user can still log in from a known network.
#[tokio::test]
async fn repeated_failed_logins_wait_and_do_not_block_the_owner() {
    let builder = Server::builder().env("INSULA_LIMIT_FAILED_LOGINS", "5/15min");
    let server = builder.env("INSULA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let (home, thief) = ("203.0.113.1", "198.51.100.1");
    let from = |address: &str| server.client().with("x-forwarded-for", address);
    from(home).register("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let wrong = guess_on(&server, email).await;
        assert!(wrong >= 5, "{wrong}");
    }
    let right = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    from(home).post(LOG_IN, right.clone()).await.expect(200);
    // The right password is not tried either; unless the wait was over by then, which forgets what was wrong.
    let mut waited = false;
    for _ in 0..10 {
        guess_on(&server, "ada@example.com").await;
        let reply = from(thief).post(LOG_IN, right.clone()).await;
        waited |= reply.status == 429;
        if waited {
            break;
        }
        reply.expect(200);
    }
    assert!(waited);
    // Never for long: who waits may try again.
    let again = insula_tests::eventually("the login succeeds", async || {
        from(thief).post(LOG_IN, right.clone()).await.status == 200
    });
    again.await;
}

/// On any network: a laptop moves, and guesses by others must not affect its user.
#[tokio::test]
async fn a_known_browser_waits_only_for_its_own_failed_logins() {
    let builder = Server::builder().env("INSULA_LIMIT_FAILED_LOGINS", "5/15min");
    let server = builder.env("INSULA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let home = server.client().with("x-forwarded-for", "203.0.113.1");
    let mut tokens = Vec::new();
    for email in ["ada@example.com", "eve@example.com"] {
        home.register(email).await;
        tokens.push(Browser::log_in(&home, &server.url(""), email).await.0.cookie("dt").to_owned());
    }
    let from = |address: &str, device: &str| {
        let cookie = format!("dt={device}");
        server.client().with("x-forwarded-for", address).with("cookie", &cookie)
    };
    let right = json!({ "email": "ada@example.com", "password": insula_tests::PASSWORD });
    // Again until the strangers met the wait, and not its end, which forgets what was wrong.
    let mut waited = false;
    for round in 0..10 {
        guess_on(&server, "ada@example.com").await;
        let stranger = from(&format!("192.0.2.{round}"), &tokens[1]).post(LOG_IN, right.clone()).await;
        from(&format!("192.0.2.1{round}"), &tokens[0]).post(LOG_IN, right.clone()).await.expect(200);
        waited = stranger.status == 429;
        if waited {
            break;
        }
        stranger.expect(200);
    }
    assert!(waited, "another's device is known too");
    // Who has the cookie and not the password waits, too.
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 30 {
        statuses.push(guess(&from("192.0.2.200", &tokens[0])).await.status);
    }
    assert!(statuses.len() > 5 && statuses.last() == Some(&429), "{statuses:?}");
}
