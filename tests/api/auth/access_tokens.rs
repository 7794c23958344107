//! Access tokens: their claims, who can verify them, and that they cannot be forged.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use insula_tests::{Client, Server};
use serde_json::{Value, json};
use sha2::Sha256;

const ME: &str = "/api/v1/users/me";

/// The three parts of a token, read.
fn parts(token: &str) -> (Value, Value, Vec<u8>) {
    let parts: Vec<_> = token.split('.').map(|part| BASE64.decode(part).unwrap()).collect();
    let [header, payload, signature] = &parts[..] else { panic!("{token}") };
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap();
    (json(header), json(payload), signature.clone())
}

fn encode(part: &Value) -> String {
    BASE64.encode(part.to_string())
}

/// The one public key.
async fn key(server: &Server) -> Value {
    let jwks = server.client().get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    jwks["keys"][0].clone()
}

async fn refused(client: &Client, token: &str) {
    let reply = client.bearer(token).get(ME).await;
    reply.problem(401, "INVALID_TOKEN");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{token}");
}

#[tokio::test]
async fn a_token_says_who_and_until_when_and_nothing_of_rights() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let (header, payload, _) = parts(ada.token());
    let kid = key(&server).await["kid"].clone();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid }));
    let claims: Vec<_> = payload.as_object().unwrap().keys().collect();
    assert_eq!(claims, ["aud", "exp", "gen", "iat", "iss", "jti", "nbf", "sid", "sub"]);
    assert_eq!(payload["sub"], ada.get(ME).await.expect(200)["id"]);
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 900);
}

#[tokio::test]
async fn a_foreign_library_verifies_a_token_by_the_published_key() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let key = key(&server).await;
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert_eq!((&key["use"], &key["d"]), (&json!("sig"), &Value::Null));
    let public: [u8; 32] = BASE64.decode(key["x"].as_str().unwrap()).unwrap().try_into().unwrap();
    let (signed, _) = ada.token().rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&parts(ada.token()).2).unwrap();
    VerifyingKey::from_bytes(&public).unwrap().verify_strict(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_token_of_no_or_another_algorithm_is_refused() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let (header, payload, signature) = parts(ada.token());
    let x = key(&server).await["x"].as_str().unwrap().to_owned();
    let public = BASE64.decode(&x).unwrap();
    let secrets: [&[u8]; 4] = [&public, x.as_bytes(), b"", b"insula"];
    for algorithm in ["none", "None", "HS256", "HS512", "RS256", "ES256", "EdDSA"] {
        let mut other = header.clone();
        other["alg"] = algorithm.into();
        let signed = format!("{}.{}", encode(&other), encode(&payload));
        refused(&ada, &format!("{signed}.")).await;
        if algorithm != "EdDSA" {
            refused(&ada, &format!("{signed}.{}", BASE64.encode(&signature))).await;
        }
        for secret in secrets {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(signed.as_bytes());
            refused(&ada, &format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))).await;
        }
    }
    ada.get(ME).await.expect(200);
}

#[tokio::test]
async fn an_altered_token_is_refused() {
    let server = Server::shared().await;
    let (ada, eve) = (server.register("ada").await, server.register("eve").await);
    let (header, payload, signature) = parts(eve.token());
    let victim = parts(ada.token()).1;
    for (claim, value) in [
        ("sub", victim["sub"].clone()),
        ("sid", victim["sid"].clone()),
        ("exp", json!(4_000_000_000_i64)),
        ("aud", json!("other")),
        ("iss", json!("https://other.example")),
    ] {
        let mut other = payload.clone();
        other[claim] = value;
        refused(&eve, &format!("{}.{}.{}", encode(&header), encode(&other), BASE64.encode(&signature))).await;
    }
    for (name, value) in
        [("kid", json!("other")), ("kid", Value::Null), ("typ", json!("JWT")), ("typ", Value::Null)]
    {
        let mut other = header.clone();
        other[name] = value;
        refused(&eve, &format!("{}.{}.{}", encode(&other), encode(&payload), BASE64.encode(&signature)))
            .await;
    }
    let (of_ada, of_eve) = (ada.token().rsplit_once('.').unwrap(), eve.token().rsplit_once('.').unwrap());
    refused(&eve, &format!("{}.{}", of_ada.0, of_eve.1)).await;
}

#[tokio::test]
async fn a_token_of_another_installation_is_refused() {
    let (here, there) = (Server::start().await, Server::start().await);
    let ada = there.client().register("ada@example.com").await;
    refused(&here.client(), ada.token()).await;
    let keys = (key(&here).await, key(&there).await);
    assert_ne!(keys.0["kid"], keys.1["kid"]);
}

#[tokio::test]
async fn a_token_outlives_the_server_that_made_it() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    let env = server.test_env().clone();
    drop(server);
    let next = Server::builder().test_env(&env).start().await;
    next.client().bearer(ada.token()).get(ME).await.expect(200);
}

#[tokio::test]
async fn what_is_no_bearer_token_is_refused() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let (anybody, token) = (server.client(), ada.token());
    for good in [format!("bearer {token}"), format!("BEARER {token}"), format!("Bearer  {token}")] {
        anybody.with("authorization", &good).get(ME).await.expect(200);
    }
    let long = "x".repeat(20_000);
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        token,
        "Basic YWRhOnNlY3JldA==",
        "Bearer null",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer ä",
        &format!("Token {token}"),
        &format!("Bearer {token} {token}"),
        &format!("Bearer {long}"),
        &format!("Bearer {token}."),
        &format!("Bearer {token}="),
    ] {
        anybody.with("authorization", bad).get(ME).await.problem(401, "INVALID_TOKEN");
    }
    anybody.get(&format!("{ME}?access_token={token}")).await.problem(401, "UNAUTHENTICATED");
    anybody.with("cookie", &format!("access_token={token}")).get(ME).await.problem(401, "UNAUTHENTICATED");
}
