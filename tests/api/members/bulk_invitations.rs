//! Creating many invitations with one request, also repeated ones.

use insula_tests::{Client, Server};
use serde_json::json;

const INVITATIONS: &str = "/api/v1/organizations/acme/invitations";

async fn acme() -> (Server, Client) {
    let server = Server::start().await;
    let owner = server.client().register("ada@example.com").await;
    owner.create_organization("acme").await;
    (server, owner)
}

#[tokio::test]
async fn the_same_request_twice_is_one_invitation() {
    let (server, owner) = acme().await;
    let draft = json!({ "email": "eve@example.com", "roles": ["viewer"] });
    let ask = || owner.post(INVITATIONS, draft.clone()).header("idempotency-key", "key-1");
    let first = ask().await.expect(201);
    assert_eq!(ask().await.expect(201), first);
    let several = |emails: &[&str]| {
        let rows = emails.iter().map(|email| json!({ "email": email, "roles": [] }));
        let drafts = json!({ "invitations": rows.collect::<Vec<_>>() });
        owner.post(&format!("{INVITATIONS}/bulk"), drafts).header("idempotency-key", "key-2")
    };
    // Refusals of the whole are not kept.
    several(&[]).await.problem(422, "VALIDATION_FAILED");
    several(&["bob@example.com", "x"]).await.problem(422, "VALIDATION_FAILED");
    let first = several(&["bob@example.com", "no such"]).await.expect(207);
    assert_eq!(several(&["bob@example.com", "no such"]).await.expect(207), first);
    several(&["bea@example.com"]).await.problem(422, "IDEMPOTENCY_MISMATCH");
    server.invitation_token("bob@example.com", 1).await;
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM invitations").await, 2);
}

#[tokio::test]
async fn of_many_each_has_an_outcome_of_its_own() {
    let (server, owner) = acme().await;
    let admin = server.client().register("adam@example.com").await;
    server.database().await.join("acme", "adam@example.com", "admin").await;
    owner.invite("acme", "asked@example.com", &["viewer"]).await.expect(201);
    let row = |email: &str, roles: &[&str]| json!({ "email": email, "roles": roles });
    let rows = [
        row("one@example.com", &["viewer"]),
        row("not an address", &["viewer"]),
        row("two@example.com", &["viewer", "nobody"]),
        row("three@example.com", &["owner"]),
        row("ADA@example.com", &["viewer"]),
        row("asked@example.com", &["viewer"]),
        row("ONE@example.com", &["viewer"]),
        row("four@example.com", &[]),
    ];
    let outcomes =
        admin.post(&format!("{INVITATIONS}/bulk"), json!({ "invitations": rows })).await.expect(207);
    let texts = outcomes["data"].as_array().unwrap().iter().zip(&rows).map(|(outcome, row)| {
        assert_eq!(
            (&outcome["email"], outcome["invitation"].is_null()),
            (&row["email"], outcome["status"] != 201)
        );
        let error = &outcome["error"];
        let field = error["errors"][0]["field"].as_str().unwrap_or_default();
        format!("{} {} {field}", outcome["status"], error["error"].as_str().unwrap_or_default())
            .trim()
            .to_owned()
    });
    let texts: Vec<_> = texts.collect();
    assert_eq!(
        texts,
        [
            "201",
            "422 VALIDATION_FAILED email",
            "422 VALIDATION_FAILED roles[1]",
            "403 OWNER_PROTECTED",
            "409 ALREADY_MEMBER",
            "409 INVITATION_PENDING",
            "409 INVITATION_PENDING",
            "201",
        ]
    );
    for email in ["one@example.com", "four@example.com"] {
        server.invitation_token(email, 1).await;
    }
    let database = server.database().await;
    let created = "SELECT count(*) FROM audit_events WHERE action = 'invitation.created'";
    assert_eq!(
        (database.scalar("SELECT count(*) FROM invitations").await, database.scalar(created).await),
        (3, 3)
    );

    let all = |n: usize| (0..n).map(|n| row(&format!("p{n}@example.com"), &["viewer"])).collect::<Vec<_>>();
    let bulk = format!("{INVITATIONS}/bulk");
    admin.post(&bulk, json!({ "invitations": all(101) })).await.problem(422, "VALIDATION_FAILED");
    let hundred = admin.post(&bulk, json!({ "invitations": all(100) })).await.expect(207);
    assert!(hundred["data"].as_array().unwrap().iter().all(|outcome| outcome["status"] == 201));
    // All are refused: nothing happens, and the answer is the same the next time.
    let again = || admin.post(&bulk, json!({ "invitations": all(3) })).header("idempotency-key", "again");
    let refused = again().await.expect(207);
    assert!(refused["data"].as_array().unwrap().iter().all(|outcome| outcome["status"] == 409));
    assert_eq!(again().await.expect(207), refused);
}
