//! Ownership transfers with concurrent requests.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use insula_tests::concurrently;
use serde_json::json;

use crate::organizations::transfers::{TRANSFER, TransferFixture, accept, member};

#[tokio::test]
async fn one_of_concurrent_acceptances_succeeds() {
    let acme = TransferFixture::start().await;
    acme.offer_to(&acme.eve).await.expect(201);
    let replies = concurrently(64, |_| {
        let request = acme.eve.request("POST", &format!("{TRANSFER}/accept"));
        async move { request.await }
    });
    let mut accepted = 0;
    for reply in replies.await {
        match reply.status {
            200 => accepted += 1,
            _ => drop(reply.problem(404, "NOT_FOUND")),
        }
    }
    assert_eq!((accepted, acme.owners().await), (1, vec![acme.email("eve")]));
    assert_eq!((acme.events("transfer.accepted").await, acme.events("member.updated").await), (1, 2));
}

#[tokio::test]
async fn one_of_concurrent_offers_succeeds() {
    let acme = TransferFixture::start().await;
    let to = [member(&acme.eve).await, member(&acme.bob).await];
    let replies = concurrently(16, |number| {
        let request = acme.ada.post(TRANSFER, json!({ "member_id": to[number % 2] }));
        async move { request.await }
    });
    let replies = replies.await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.problem(409, "TRANSFER_PENDING");
    }
}

/// One accepts while the other leaves: the remaining member is the owner.
#[tokio::test]
async fn an_owner_who_offers_and_leaves_at_once_leaves_an_owner() {
    let acme = TransferFixture::start().await;
    acme.offer_to(&acme.eve).await.expect(201);
    let replies = concurrently(2, |number| {
        let request = match number {
            0 => acme.eve.request("POST", &format!("{TRANSFER}/accept")),
            _ => acme.ada.request("POST", "/api/v1/organizations/{org}/leave"),
        };
        async move { request.await.status }
    });
    let replies = replies.await;
    assert!([[200, 204], [200, 409]].iter().any(|fine| replies == fine), "{replies:?}");
    assert_eq!(acme.owners().await, [acme.email("eve")]);
}

/// Fifty transfers back and forth, with concurrent reads.
#[tokio::test]
async fn the_organization_always_has_an_owner() {
    let acme = TransferFixture::start().await;
    let (over, owners) = (Arc::new(AtomicBool::new(false)), acme.owners_sql());
    let database = acme.database().await;
    let watch = {
        let over = Arc::clone(&over);
        async move {
            let mut looks = 0;
            while !over.load(Relaxed) {
                let owners = database.texts(&owners).await;
                assert_eq!(owners.len(), 1, "{owners:?}");
                looks += 1;
            }
            looks
        }
    };
    let pass = async {
        let people = [&acme.ada, &acme.eve];
        let members = [member(people[0]).await, member(people[1]).await];
        for round in 0..50 {
            let (from, to) = (round % 2, (round + 1) % 2);
            people[from].post(TRANSFER, json!({ "member_id": members[to] })).await.expect(201);
            accept(people[to]).await.expect(200);
        }
        over.store(true, Relaxed);
    };
    let (looks, ()) = tokio::join!(watch, pass);
    assert!(looks > 50, "{looks}");
    assert_eq!(acme.owners().await, [acme.email("ada")]);
}
