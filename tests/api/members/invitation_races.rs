//! Of concurrent requests for one invitation, one succeeds.

use std::collections::BTreeMap;

use insula_tests::{OrgWithOwner, PASSWORD, Reply, concurrently};
use serde_json::json;

const N: usize = 64;

fn tally(replies: &[Reply]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for reply in replies {
        let code = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        *tally.entry(format!("{} {code}", reply.status).trim().to_owned()).or_default() += 1;
    }
    tally
}

/// One membership, one account, one event of each kind.
async fn happened_once(acme: &OrgWithOwner) {
    let (database, own, email) = (acme.database().await, acme.own_rows(), acme.email("eve"));
    let eve = format!("(SELECT id FROM users WHERE email_canonical = '{email}')");
    for one in [
        format!("users WHERE email_canonical = '{email}'"),
        format!("members WHERE user_id = {eve} AND {own}"),
        format!("member_roles r JOIN members m ON m.id = r.member_id WHERE m.user_id = {eve} AND m.{own}"),
        format!("audit_events WHERE action = 'invitation.accepted' AND {own}"),
        format!("audit_events WHERE action = 'member.added' AND {own} AND actor_id = {eve}"),
        format!(
            "one_time_tokens WHERE purpose = 'invitation' AND used_at IS NOT NULL AND email_canonical = '{email}'"
        ),
    ] {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {one}")).await, 1, "{one}");
    }
}

#[tokio::test]
async fn one_of_concurrent_acceptances_for_a_new_user_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
    let token = server.invitation_token(&server.email("eve"), 1).await;
    let replies = concurrently(N, |_| {
        let (anybody, token) = (server.client(), token.clone());
        async move { anybody.accept(&token, json!({ "password": PASSWORD })).await }
    });
    let mut tally = tally(&replies.await);
    // Each hashes a password first: of so many at once some are asked to come back.
    let busy = tally.remove("503 UNAVAILABLE").unwrap_or_default();
    let late = tally.remove("410 INVITATION_EXPIRED").unwrap_or_default();
    assert_eq!((tally, late + busy), ([("200".to_owned(), 1)].into(), N - 1));
    happened_once(&server).await;
    server.client().log_in(&server.email("eve"), PASSWORD).await;
}

#[tokio::test]
async fn one_of_concurrent_acceptances_for_an_account_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
    let token = server.invitation_token(&server.email("eve"), 1).await;
    let replies = concurrently(N, |number| {
        // With her session and without.
        let (client, token) = (if number % 2 == 0 { eve.clone() } else { server.client() }, token.clone());
        async move { client.accept(&token, json!({})).await }
    });
    let tally = tally(&replies.await);
    assert_eq!(tally, [("200".to_owned(), 1), ("410 INVITATION_EXPIRED".to_owned(), N - 1)].into());
    happened_once(&server).await;
}

#[tokio::test]
async fn one_of_concurrent_invitations_of_one_address_succeeds() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let replies = concurrently(16, |number| {
        let (owner, email, capitals) = (owner.clone(), server.email("eve"), server.email("EVE"));
        async move {
            match number % 2 {
                0 => owner.invite("{org}", &email, &["member"]).await,
                _ => {
                    let rows = json!({ "invitations": [{ "email": capitals, "roles": ["viewer"] }] });
                    owner.post("/api/v1/organizations/{org}/invitations/bulk", rows).await
                }
            }
        }
    });
    let replies = replies.await;
    let won = |reply: &&Reply| reply.status == 201 || reply.json()["data"][0]["status"] == 201;
    assert_eq!(replies.iter().filter(won).count(), 1);
    let code_of = |reply: &Reply| {
        let json = reply.json();
        json["error"].as_str().or(json["data"][0]["error"]["error"].as_str()).map(str::to_owned)
    };
    let lost: Vec<_> = replies.iter().filter_map(code_of).collect();
    assert_eq!(lost, ["INVITATION_PENDING"; 15]);
    let made = format!("SELECT count(*) FROM invitations WHERE {}", server.own_rows());
    assert_eq!(server.database().await.scalar(&made).await, 1);
}

/// The first one wins; never both.
#[tokio::test]
async fn an_invitation_is_accepted_declined_or_revoked_once() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let eve = server.stranger("eve").await;
    for round in 1..=8 {
        let made = owner.invite("{org}", &server.email("eve"), &["member"]).await.expect(201);
        let path = format!("/api/v1/organizations/{{org}}/invitations/{}", made["id"].as_str().unwrap());
        let token = server.invitation_token(&server.email("eve"), round).await;
        let replies = concurrently(9, |number| {
            let (eve, owner, token, path) = (eve.clone(), owner.clone(), token.clone(), path.clone());
            async move {
                match number % 3 {
                    0 => eve.accept(&token, json!({})).await,
                    1 => eve.post("/api/v1/invitations/decline", json!({ "token": token })).await,
                    _ => owner.delete(&path).await,
                }
            }
        });
        let replies = replies.await;
        let kinds = replies.iter().enumerate().filter(|(_, reply)| reply.status < 300).map(|(at, _)| at % 3);
        let kinds: std::collections::BTreeSet<_> = kinds.collect();
        assert_eq!(kinds.len(), 1, "{:?}", tally(&replies));
        let status = owner.get(&path).await.expect(200)["status"].clone();
        assert_eq!(status, ["accepted", "declined", "revoked"][*kinds.first().unwrap()]);
        let database = server.database().await;
        let remove = format!(
            "UPDATE members SET status = 'removed' WHERE user_id = (SELECT id FROM users WHERE email = '{}') AND {}",
            server.email("eve"),
            server.own_rows()
        );
        database.execute(&remove).await;
    }
}
