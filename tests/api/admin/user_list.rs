//! `GET /admin/users`: searching, filtering and sorting accounts.

use std::collections::BTreeSet;

use insula_tests::{Client, PASSWORD, Server, TestDatabase};
use serde_json::{Value, json};

const USERS: &str = "/api/v1/admin/users";

/// The addresses of a list, by pages of `limit`, each led to by the `Link` of the one before.
async fn listed(superuser: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut listed, mut path) = (Vec::new(), format!("{USERS}?limit={limit}&{query}"));
    loop {
        let reply = superuser.get(&path).await;
        let page = reply.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        listed.extend(data.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        let Some(link) = reply.header("link") else {
            assert_eq!((&page["has_more"], &page["next_cursor"]), (&json!(false), &Value::Null));
            return listed;
        };
        assert_eq!(page["has_more"], true);
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    }
}

fn reversed(mut list: Vec<String>) -> Vec<String> {
    list.reverse();
    list
}

/// A superuser and the users `a`, `b` …, registered in that order. Only some have logged in.
async fn concurrency() -> (Server, Client, TestDatabase) {
    let (server, superuser) = Server::with_superuser().await;
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        let draft = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        superuser.post(USERS, draft).await.expect(201);
    }
    for name in ["d", "b", "f"] {
        server.client().log_in(&format!("{name}@example.com"), PASSWORD).await;
    }
    let database = server.database().await;
    (server, superuser, database)
}

fn addresses(names: &str) -> Vec<String> {
    names.split(' ').map(|name| format!("{name}@example.com")).collect()
}

#[tokio::test]
async fn every_sort_lists_every_user_once_for_any_page_size() {
    let (_server, superuser, database) = concurrency().await;
    // Ties: users created or logged in at the same time.
    database
        .execute("UPDATE users SET created_at = (SELECT min(created_at) FROM users) WHERE email < 'd'")
        .await;
    let tie = "SELECT max(last_login_at) FROM users WHERE email LIKE 'b@%'";
    database.execute(&format!("UPDATE users SET last_login_at = ({tie}) WHERE email LIKE 'f@%'")).await;
    for (sort, expected) in [
        ("created_at", "root a b c d e f g"),
        ("email", "a b c d e f g root"),
        ("last_login_at", "root d b f a c e g"),
    ] {
        let expected = addresses(expected);
        for limit in [1, 2, 3, 100] {
            assert_eq!(listed(&superuser, &format!("sort={sort}"), limit).await, expected, "{sort} {limit}");
            let reverse = listed(&superuser, &format!("sort=-{sort}"), limit).await;
            assert_eq!(reversed(reverse), expected, "-{sort} {limit}");
        }
    }
    assert_eq!(
        reversed(listed(&superuser, "", 3).await),
        addresses("root a b c d e f g"),
        "the newest first"
    );
}

#[tokio::test]
async fn a_search_term_matches_anywhere_and_literally() {
    let (_server, superuser, _) = concurrency().await;
    for (email, username) in [
        ("Lovelace@example.com", Some("Countess")),
        ("under_score@example.com", None),
        ("underXscore@example.com", None),
        ("per%cent@example.com", None),
        ("bang!@example.com", None),
        ("zoe@xn--mller-kva.example", Some("zoe.m")),
    ] {
        let draft = json!({ "email": email, "password": PASSWORD, "username": username });
        superuser.post(USERS, draft).await.expect(201);
    }
    for (term, expected) in [
        ("LOVE", "Lovelace@example.com"),
        ("countess", "Lovelace@example.com"),
        ("OUNT", "Lovelace@example.com"),
        ("%EF%BC%AC%EF%BC%AFvelace", "Lovelace@example.com"),
        ("r_s", "under_score@example.com"),
        ("%25", "per%cent@example.com"),
        ("!", "bang!@example.com"),
        ("zoe.m", "zoe@xn--mller-kva.example"),
        ("nobody", ""),
        ("'", ""),
        ("%5C", ""),
    ] {
        let found = listed(&superuser, &format!("q={term}"), 2).await;
        assert_eq!(found.join(" "), expected, "{term}");
    }
    assert_eq!(listed(&superuser, "q=@example&sort=email", 2).await.len(), 13);
}

#[tokio::test]
async fn filters_are_joined() {
    let (_server, superuser, database) = concurrency().await;
    let path = |email: &str| {
        let (superuser, email) = (superuser.clone(), email.to_owned());
        async move {
            let found = superuser.get(&format!("{USERS}?q={email}")).await.expect(200);
            format!("{USERS}/{}", found["data"][0]["id"].as_str().unwrap())
        }
    };
    superuser.request("POST", &format!("{}/deactivate", path("a@").await)).await.expect(200);
    superuser.delete(&path("b@").await).await.expect(204);
    superuser.delete(&path("c@").await).await.expect(204);
    database.execute("UPDATE users SET email_verified_at = NULL WHERE email LIKE 'd@%'").await;
    // Purged: no list contains it.
    database.execute("UPDATE users SET purge_after = NULL WHERE email LIKE 'c@%'").await;
    for (query, expected) in [
        ("is_active=true", "d e f g root"),
        ("is_active=false", "a"),
        ("is_superuser=true", "root"),
        ("is_superuser=false", "a d e f g"),
        ("is_verified=false", "d"),
        ("is_verified=true&is_active=true", "e f g root"),
        ("is_superuser=true&is_active=false", ""),
        ("deleted=false", "a d e f g root"),
        ("deleted=true", "b"),
        ("deleted=true&q=c@", ""),
        ("q=g@&is_active=true", "g"),
    ] {
        let expected = if expected.is_empty() { vec![] } else { addresses(expected) };
        assert_eq!(listed(&superuser, &format!("{query}&sort=email"), 2).await, expected, "{query}");
    }
    let deleted = superuser.get(&format!("{USERS}?deleted=true")).await.expect(200);
    assert!(deleted["data"][0]["deleted_at"].is_string() && deleted["data"][0]["purge_after"].is_string());
}

#[tokio::test]
async fn a_listed_account_equals_the_single_account() {
    let (server, superuser) = Server::with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    let acme = ada.create_organization("acme").await;
    let eve = server.client().register("eve@example.com").await;
    server.database().await.join("acme", "eve@example.com", "viewer").await;
    // Hers by choice; Ada's by age; the superuser belongs nowhere.
    eve.patch("/api/v1/users/me", json!({ "default_organization_id": acme.id })).await.expect(200);
    let page = superuser.get(&format!("{USERS}?sort=email")).await.expect(200);
    let defaults: Vec<_> = page["data"].as_array().unwrap().iter().collect();
    assert_eq!(defaults.len(), 3);
    for account in &defaults {
        let looked = superuser.get(&format!("{USERS}/{}", account["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(**account, looked);
    }
    assert_eq!(defaults[1]["default_organization_id"], acme.id);
    assert!(defaults[0]["default_organization_id"].is_string());
    assert!(defaults[2]["default_organization_id"].is_null());
}

#[tokio::test]
async fn a_cursor_is_one_of_its_list_alone() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    for name in ["a", "b"] {
        server.register(name).await;
    }
    let page = superuser.get(&format!("{USERS}?limit=1&sort=last_login_at")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for other in ["sort=-last_login_at", "sort=last_login_at&q=a", "sort=last_login_at&is_active=true", ""] {
        let refused = superuser.get(&format!("{USERS}?cursor={cursor}&{other}")).await;
        refused.problem(422, "INVALID_CURSOR");
    }
    superuser.get(&format!("{USERS}?limit=3&sort=last_login_at&cursor={cursor}")).await.expect(200);
}

#[tokio::test]
async fn unknown_parameters_of_the_list_are_named() {
    let superuser = Server::shared().await.superuser().await;
    for (query, fault) in [
        ("sort=username", "sort NOT_A_CHOICE"),
        ("sort=email,created_at", "sort NOT_A_CHOICE"),
        ("is_active=yes", "is_active WRONG_TYPE"),
        ("deleted=1", "deleted WRONG_TYPE"),
        ("q=", "q TOO_SHORT"),
        ("q=%20", "q TOO_SHORT"),
        ("q=a%07", "q INVALID_FORMAT"),
        ("role=owner", "role UNKNOWN_FIELD"),
        ("limit=101", "limit TOO_LARGE"),
    ] {
        let reply = superuser.get(&format!("{USERS}?{query}")).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [fault], "{query}");
    }
    let long = superuser.get(&format!("{USERS}?q={}", "a".repeat(101))).await;
    assert_eq!(long.faults(), ["q TOO_LONG"]);
}

#[tokio::test]
async fn a_new_user_does_not_shift_the_pages() {
    let (_server, superuser, _) = concurrency().await;
    let first = superuser.get(&format!("{USERS}?limit=4&sort=email")).await.expect(200);
    for name in ["aa", "z"] {
        let draft = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        superuser.post(USERS, draft).await.expect(201);
    }
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = superuser.get(&format!("{USERS}?limit=100&sort=email&cursor={cursor}")).await.expect(200);
    let emails = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    let all = [emails(&first), emails(&rest)].concat();
    assert_eq!(all, addresses("a b c d e f g root z"));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}
