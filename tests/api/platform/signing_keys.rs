//! Signing keys: shared by all processes, rotated without failures, and revoked at once if stolen.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use insula_tests::{Client, PASSWORD, Server, TestEnv, concurrently, eventually};
use serde_json::{Value, json};

const ME: &str = "/api/v1/users/me";
const EMAIL: &str = "ada@example.com";

/// A key signs a second after it was published, and processes check for keys five times a second.
/// Repeated logins, which show the signing key, must not end the sessions under test.
const QUICK: [(&str, &str); 3] =
    [("INSULA_KEY_LEAD", "1"), ("INSULA_KEY_RELOAD", "0.2"), ("INSULA_MAX_SESSIONS", "10000")];

async fn serve(env: &TestEnv, envs: &[(&str, &str)]) -> Server {
    let builder = Server::builder().test_env(env);
    envs.iter().fold(builder, |builder, (name, value)| builder.env(name, value)).start().await
}

/// Runs `insula keys …` beside whatever else the test does; gives its lines.
async fn keys(
    env: &TestEnv,
    arguments: &[&'static str],
    envs: &[(&'static str, &'static str)],
) -> Vec<String> {
    let (env, arguments, envs) = (env.clone(), [&["keys"], arguments].concat(), envs.to_vec());
    let output = tokio::task::spawn_blocking(move || env.insula(&arguments, &envs)).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The name that begins a line.
fn kid(line: &str) -> String {
    line.split_whitespace().next().unwrap().to_owned()
}

/// The names of the keys in that state.
async fn in_state(env: &TestEnv, state: &str) -> Vec<String> {
    let lines = keys(env, &["list"], &[]).await;
    let stands = |line: &&String| line.split_whitespace().skip(1).take(2).eq(["access", state]);
    lines.iter().filter(stands).map(|line| kid(line)).collect()
}

/// The key that signed a token.
fn signer(token: &str) -> String {
    let header = BASE64.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(server: &Server) -> Vec<String> {
    let jwks = server.client().get("/.well-known/jwks.json").await.expect(200);
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// What a start that was refused complains about.
#[track_caller]
fn misconfigured(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(78), "{text}");
    text
}

#[tokio::test]
async fn servers_that_start_at_once_sign_with_one_key() {
    let env = TestEnv::new().await;
    let place = env.clone();
    let servers = concurrently(4, move |_| {
        let place = place.clone();
        async move { Server::builder().test_env(&place).start().await }
    })
    .await;
    let ada = servers[0].client().register(EMAIL).await;
    for server in &servers {
        let here = server.client().log_in(EMAIL, PASSWORD).await;
        assert_eq!(signer(here.token()), signer(ada.token()));
        for other in &servers {
            other.client().bearer(here.token()).get(ME).await.expect(200);
        }
    }
    let keys = "SELECT count(*) FROM signing_keys WHERE purpose = 'access'";
    assert_eq!(env.database().await.scalar(keys).await, 1);
}

/// Logs in at both servers, and uses the newest and the oldest token at both, until `stop` is set.
async fn load(servers: [Client; 2], oldest: String, stop: Arc<AtomicBool>, answers: Arc<AtomicUsize>) {
    for turn in 0.. {
        let newest = servers[turn % 2].log_in(EMAIL, PASSWORD).await;
        for server in &servers {
            for token in [newest.token(), &oldest] {
                server.bearer(token).get(ME).await.expect(200);
                answers.fetch_add(1, SeqCst);
            }
        }
        if stop.load(SeqCst) {
            return;
        }
    }
}

#[tokio::test]
async fn rotation_under_load_fails_no_request() {
    let env = TestEnv::new().await;
    let (here, there) = (serve(&env, &QUICK).await, serve(&env, &QUICK).await);
    let ada = here.client().register(EMAIL).await;
    let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let requests = concurrently(3, |_| {
        load([here.client(), there.client()], ada.token().to_owned(), Arc::clone(&stop), Arc::clone(&answers))
    });
    let rotations = async {
        let mut signers = vec![signer(ada.token())];
        for _ in 0..2 {
            let next = kid(&keys(&env, &["rotate"], &QUICK).await[0]);
            for server in [&here, &there] {
                eventually("the new key signs", async || {
                    signer(server.client().log_in(EMAIL, PASSWORD).await.token()) == next
                })
                .await;
            }
            signers.push(next);
        }
        stop.store(true, SeqCst);
        signers
    };
    let (_, signers) = tokio::join!(requests, rotations);
    assert!(answers.load(SeqCst) > 20);
    assert!(signers[0] != signers[1] && signers[1] != signers[2]);
    // Those that have signed a token that is still good are published with the one that signs.
    for server in [&here, &there] {
        assert_eq!(published(server).await, signers);
    }
}

#[tokio::test]
async fn a_key_is_published_before_it_signs() {
    let env = TestEnv::new().await;
    let settings = [("INSULA_KEY_RELOAD", "0.2")];
    let server = serve(&env, &settings).await;
    let ada = server.client().register(EMAIL).await;
    let [line] = &keys(&env, &["rotate"], &settings).await[..] else { panic!("one line") };
    assert!(line.contains("is published"), "{line}");
    // It is there already.
    assert_eq!(keys(&env, &["rotate"], &settings).await, [line.as_str()]);
    let both = vec![signer(ada.token()), kid(line)];
    eventually("the next key is published", async || published(&server).await == both).await;
    assert_eq!(signer(server.client().log_in(EMAIL, PASSWORD).await.token()), both[0]);
    assert_eq!(in_state(&env, "active").await, both[..1]);
    assert_eq!(in_state(&env, "next").await, both[1..]);
}

#[tokio::test]
async fn a_retired_key_is_deleted_and_the_log_records_it() {
    let env = TestEnv::new().await;
    let settings =
        [("INSULA_KEY_LEAD", "0"), ("INSULA_KEY_RELOAD", "0.1"), ("INSULA_ACCESS_TOKEN_TTL", "0.5")];
    let server = serve(&env, &settings).await;
    let first = published(&server).await;
    let next = kid(&keys(&env, &["rotate"], &settings).await[0]);
    eventually("the old key goes", async || published(&server).await == [next.as_str()]).await;
    assert_ne!(first, [next.as_str()]);
    let database = env.database().await;
    let log = "SELECT action || ' ' || resource_id FROM audit_events
               WHERE resource = 'signing_key' AND details NOT LIKE '%\"audit\"%' ORDER BY id";
    let of = |action: &str, kid: &str| format!("signing_key.{action} {kid}");
    let expected =
        [of("created", &first[0]), of("created", &next), of("activated", &next), of("removed", &first[0])];
    assert_eq!(database.texts(log).await, expected);
}

#[tokio::test]
async fn keys_rotate_on_schedule() {
    let env = TestEnv::new().await;
    let settings = [("INSULA_KEY_ROTATION", "1"), ("INSULA_KEY_LEAD", "1"), ("INSULA_KEY_RELOAD", "0.2")];
    let server = serve(&env, &settings).await;
    let ada = server.client().register(EMAIL).await;
    eventually("another key signs", async || {
        let token = server.client().log_in(EMAIL, PASSWORD).await.token().to_owned();
        ada.get(ME).await.expect(200);
        signer(&token) != signer(ada.token())
    })
    .await;
}

#[tokio::test]
async fn an_emergency_rotation_revokes_the_old_key_at_once() {
    let env = TestEnv::new().await;
    let (here, there) = (serve(&env, &QUICK).await, serve(&env, &QUICK).await);
    let ada = here.client().register(EMAIL).await;
    let servers = [here.client(), there.client()];
    keys(&env, &["rotate"], &QUICK).await;
    let line = keys(&env, &["rotate", "--now"], &QUICK).await.remove(0);
    assert!(line.contains("signs from now on"), "{line}");
    for server in &servers {
        eventually("the old token is refused", async || {
            server.bearer(ada.token()).get(ME).await.status == 401
        })
        .await;
        server.bearer(ada.token()).get(ME).await.problem(401, "INVALID_TOKEN");
    }
    for server in &servers {
        let again = server.log_in(EMAIL, PASSWORD).await;
        assert_eq!(signer(again.token()), kid(&line));
        for server in &servers {
            server.bearer(again.token()).get(ME).await.expect(200);
        }
    }
    assert_eq!(published(&here).await, [kid(&line)]);
    let listed = keys(&env, &["list"], &[]).await;
    assert_eq!(listed.iter().filter(|key| key.contains("  access  ")).count(), 1, "{listed:?}");
}

#[tokio::test]
async fn foreign_kids_are_refused_however_many_there_are() {
    let server = Server::start().await;
    let ada = server.client().register(EMAIL).await;
    let (_, rest) = ada.token().split_once('.').unwrap();
    for number in 0..100_u64 {
        let kid = BASE64.encode(number.to_be_bytes());
        let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid }).to_string();
        let token = format!("{}.{rest}", BASE64.encode(header));
        server.client().bearer(&token).get(ME).await.problem(401, "INVALID_TOKEN");
    }
    ada.get(ME).await.expect(200);
}

#[tokio::test]
async fn the_secret_key_can_be_changed_and_not_by_mistake() {
    let [old, new, other] = [
        "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV",
        "Zx5Lk2Qw9Vb7Nm4Ty1Rf8Gh3Jd6Sc0Pa",
        "Uu4Ei7Ow2Yt9Ra6Kl1Mz8Xc5Vn3Bq0Hg",
    ];
    let env = TestEnv::new().await;
    let serving = |envs: &[(&str, &str)]| env.insula(&["serve", "--port", "0"], envs);

    let server = serve(&env, &[("INSULA_SECRET_KEY", old)]).await;
    let ada = server.client().register(EMAIL).await;
    server.terminate().await;
    let complaint = misconfigured(&serving(&[("INSULA_SECRET_KEY", new)]));
    assert!(complaint.contains("INSULA_SECRET_KEY_PREVIOUS") && !complaint.contains(new), "{complaint}");

    // The second start needs the previous key no more: the first has wrapped all anew.
    for envs in [
        &[("INSULA_SECRET_KEY", new), ("INSULA_SECRET_KEY_PREVIOUS", old)][..],
        &[("INSULA_SECRET_KEY", new)],
    ] {
        let server = serve(&env, envs).await;
        server.client().bearer(ada.token()).get(ME).await.expect(200);
        server.terminate().await;
    }
    misconfigured(&serving(&[("INSULA_SECRET_KEY", old)]));

    // Without the key there is a new one, and all users need new tokens.
    let envs = [("INSULA_SECRET_KEY", other)];
    misconfigured(&serving(&envs));
    assert!(env.insula(&["keys", "rotate"], &envs).status.code() == Some(78));
    keys(&env, &["rotate", "--now"], &envs).await;
    let server = serve(&env, &envs).await;
    server.client().bearer(ada.token()).get(ME).await.problem(401, "INVALID_TOKEN");
    server.client().log_in(EMAIL, PASSWORD).await.get(ME).await.expect(200);
}

#[tokio::test]
async fn a_private_key_is_nowhere_in_the_clear() {
    let server = Server::start().await;
    let database = server.database().await;
    // Nonce, 32 encrypted bytes and tag; a private key in the clear would be 32 bytes, or 48 in PKCS #8.
    assert_eq!(database.scalar("SELECT CAST(length(wrapped_private) AS bigint) FROM signing_keys").await, 60);
    assert_eq!(database.scalar("SELECT count(*) FROM signing_keys WHERE wrapped_private = public").await, 0);
}
