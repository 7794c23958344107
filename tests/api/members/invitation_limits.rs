//! No spam by invitations: names contain no links, and the number of invitations and organizations of a user is limited.

use insula_tests::{Client, Inbox, Server, concurrently};
use serde_json::{Value, json};

const ORGANIZATIONS: &str = "/api/v1/organizations";

async fn named(server: &Server, email: &str, first_name: &str) -> Client {
    let person = server.client().register(email).await;
    person.patch("/api/v1/users/me", json!({ "first_name": first_name })).await.expect(200);
    person
}

async fn bulk(inviter: &Client, org: &str, names: &[&str]) -> Vec<Value> {
    let rows: Vec<_> =
        names.iter().map(|name| json!({ "email": format!("{name}@example.com"), "roles": [] })).collect();
    let path = format!("{ORGANIZATIONS}/{org}/invitations/bulk");
    let outcomes = inviter.post(&path, json!({ "invitations": rows })).await.expect(207);
    outcomes["data"].as_array().unwrap().iter().map(|outcome| outcome["status"].clone()).collect()
}

async fn found(client: &Client, slug: &str) -> insula_tests::Reply {
    client.post(ORGANIZATIONS, json!({ "name": slug, "slug": slug })).await
}

#[tokio::test]
async fn names_in_emails_to_strangers_contain_no_links() {
    let server = Server::builder().env("INSULA_MAIL_DOMAIN", "acme.example").with_mail().start().await;
    let inbox = Inbox::of(&server).await;
    let eve = server.client().register("eve@example.com").await;
    server.database().await.execute("UPDATE users SET email_verified_at = created_at").await;
    let name = json!({ "first_name": "Your parcel waits:", "last_name": "http://evil.example/x" });
    eve.patch("/api/v1/users/me", name).await.expect(200);
    let organization = json!({ "name": "www.evil.example https://evil.example", "slug": "parcels" });
    eve.post(ORGANIZATIONS, organization).await.expect(201);
    eve.invite("parcels", "stranger@example.com", &[]).await.expect(201);
    let mail = inbox.last("send_invitation").await;
    for part in [&mail.subject, &mail.text, &mail.html] {
        assert!(part.contains("Your parcel waits:") && !part.contains("evil.example"), "{part}");
        assert!(!part.contains("://evil") && !part.contains("www.evil"), "{part}");
    }
    // Only links to our own host, and the contact for abuse.
    assert!(mail.links().iter().all(|link| link.starts_with("http://127.0.0.1")), "{:?}", mail.links());
    assert!(mail.text.contains("abuse@acme.example") && mail.html.contains("abuse@acme.example"));
    assert!(mail.message_id.ends_with("@acme.example"), "{}", mail.message_id);
}

#[tokio::test]
async fn a_new_account_has_a_low_limit_in_all_organizations() {
    let server = Server::builder()
        .env("INSULA_LIMIT_NEW_INVITER", "3/h")
        .env("INSULA_LIMIT_INVITER", "300/h")
        .start()
        .await;
    let eve = named(&server, "eve@example.com", "Eve").await;
    for slug in ["one", "two"] {
        eve.create_organization(slug).await;
    }
    eve.invite("one", "a@example.com", &[]).await.expect(201);
    assert_eq!(bulk(&eve, "two", &["b", "c", "d"]).await, [201, 201, 429]);
    let refused = eve.invite("one", "e@example.com", &[]).await;
    refused.problem(429, "RATE_LIMITED");
    assert!(refused.header("retry-after").is_some());
    let sent = eve.get(&format!("{ORGANIZATIONS}/one/invitations")).await.expect(200);
    let resend =
        format!("{ORGANIZATIONS}/one/invitations/{}/resend", sent["data"][0]["id"].as_str().unwrap());
    eve.request("POST", &resend).await.problem(429, "RATE_LIMITED");
    // Nobody else is bound by it, in the same organization neither.
    let adam = server.client().register("adam@example.com").await;
    server.database().await.join("one", "adam@example.com", "admin").await;
    adam.invite("one", "e@example.com", &[]).await.expect(201);
}

#[tokio::test]
async fn an_established_account_has_a_higher_limit() {
    let server = Server::builder()
        .env("INSULA_NEW_ACCOUNT_AGE", "0")
        .env("INSULA_LIMIT_NEW_INVITER", "1/h")
        .env("INSULA_LIMIT_INVITER", "4/h")
        .start()
        .await;
    let ada = server.client().register("ada@example.com").await;
    for slug in ["one", "two"] {
        ada.create_organization(slug).await;
    }
    assert_eq!(bulk(&ada, "one", &["a", "b", "c"]).await, [201, 201, 201]);
    assert_eq!(bulk(&ada, "two", &["d", "e"]).await, [201, 429]);
}

#[tokio::test]
async fn a_user_creates_a_limited_number_of_organizations() {
    const MOST: usize = 3;
    let builder = Server::builder().env("INSULA_MAX_ORGANIZATIONS", &MOST.to_string());
    let (server, superuser) = builder.start_with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    // At once: none slips through.
    let asks = concurrently(2 * MOST, |number| {
        let ada = ada.clone();
        async move { found(&ada, &format!("org-{number}")).await }
    });
    let mut founded = Vec::new();
    for reply in asks.await {
        match reply.status {
            201 => founded.push(reply.expect(201)["slug"].as_str().unwrap().to_owned()),
            _ => drop(reply.problem(409, "ORGANIZATION_LIMIT")),
        }
    }
    assert_eq!(founded.len(), MOST);
    found(&ada, "more").await.problem(409, "ORGANIZATION_LIMIT");
    // A superuser may give more.
    let given = json!({ "name": "Given", "slug": "given", "owner_email": "ada@example.com" });
    superuser.post("/api/v1/admin/organizations", given).await.expect(201);
    // What is deleted does not count; what others founded does not either.
    for slug in [&*founded[0], &founded[1]] {
        ada.delete(&format!("{ORGANIZATIONS}/{slug}")).await.expect(202);
    }
    found(&ada, "more").await.expect(201);
    found(&ada, "even-more").await.problem(409, "ORGANIZATION_LIMIT");
    let bob = server.client().register("bob@example.com").await;
    server.database().await.join("more", "bob@example.com", "admin").await;
    for number in 0..MOST {
        found(&bob, &format!("bobs-{number}")).await.expect(201);
    }
}
