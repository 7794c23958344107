//! Creating many invitations with one request, also repeated ones.

use insula_tests::OrgWithOwner;
use serde_json::json;

const INVITATIONS: &str = "/api/v1/organizations/{org}/invitations";

/// The number of invitations of the organization.
async fn invitations(acme: &OrgWithOwner) -> i64 {
    let invitations = format!("SELECT count(*) FROM invitations WHERE {}", acme.own_rows());
    acme.database().await.scalar(&invitations).await
}

#[tokio::test]
async fn the_same_request_twice_is_one_invitation() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let draft = json!({ "email": &server.email("eve"), "roles": ["viewer"] });
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
    several(&[&server.email("bob"), "x"]).await.problem(422, "VALIDATION_FAILED");
    let first = several(&[&server.email("bob"), "no such"]).await.expect(207);
    assert_eq!(several(&[&server.email("bob"), "no such"]).await.expect(207), first);
    several(&[&server.email("bea")]).await.problem(422, "IDEMPOTENCY_MISMATCH");
    server.invitation_token(&server.email("bob"), 1).await;
    assert_eq!(invitations(&server).await, 2);
}

#[tokio::test]
async fn of_many_each_has_an_outcome_of_its_own() {
    let (server, owner) = OrgWithOwner::start_with_owner().await;
    let admin = server.join("adam", "admin").await;
    owner.invite("{org}", &server.email("asked"), &["viewer"]).await.expect(201);
    let row = |email: &str, roles: &[&str]| json!({ "email": email, "roles": roles });
    let rows = [
        row(&server.email("one"), &["viewer"]),
        row("not an address", &["viewer"]),
        row(&server.email("two"), &["viewer", "nobody"]),
        row(&server.email("three"), &["owner"]),
        row(&server.email("ADA"), &["viewer"]),
        row(&server.email("asked"), &["viewer"]),
        row(&server.email("ONE"), &["viewer"]),
        row(&server.email("four"), &[]),
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
    for name in ["one", "four"] {
        server.invitation_token(&server.email(name), 1).await;
    }
    let created = server.event_details("invitation.created").await.len();
    assert_eq!((invitations(&server).await, created), (3, 3));

    let all =
        |n: usize| (0..n).map(|n| row(&server.email(&format!("p{n}")), &["viewer"])).collect::<Vec<_>>();
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
