//! `/organizations/{org}/transfer`: offer, accept, decline, cancel; there is always an owner.

use std::ops::Deref;

use insula_tests::{Client, Inbox, OrgWithOwner, PASSWORD, Reply, Server, TestDatabase, eventually, unique};
use serde_json::{Value, json};

pub(crate) const TRANSFER: &str = "/api/v1/organizations/{org}/transfer";
const ACME: &str = "/api/v1/organizations/{org}";

/// An organization of Ada's to which Eve (admin) and Bob (viewer) belong.
pub(crate) struct TransferFixture {
    base: OrgWithOwner,
    database: TestDatabase,
    pub(crate) ada: Client,
    pub(crate) eve: Client,
    pub(crate) bob: Client,
}

impl TransferFixture {
    pub(crate) async fn start() -> Self {
        Self::of(OrgWithOwner::start().await).await
    }

    async fn of(base: OrgWithOwner) -> Self {
        let (ada, database) = (base.owner.clone(), base.database().await);
        let (eve, bob) = (base.join("eve", "admin").await, base.join("bob", "viewer").await);
        Self { base, database, ada, eve, bob }
    }

    /// Ada offers the organization to a member.
    pub(crate) async fn offer_to(&self, person: &Client) -> Reply {
        let member = member(person).await;
        self.ada.post(TRANSFER, json!({ "member_id": member })).await
    }

    /// SQL for the e-mail addresses of the owners.
    pub(crate) fn owners_sql(&self) -> String {
        format!(
            "SELECT u.email FROM members m JOIN users u ON u.id = m.user_id
             JOIN member_roles h ON h.member_id = m.id JOIN roles r ON r.id = h.role_id AND r.key = 'owner'
             WHERE m.{} AND m.status = 'active' ORDER BY u.email",
            self.own_rows()
        )
    }

    pub(crate) async fn owners(&self) -> Vec<String> {
        self.database.texts(&self.owners_sql()).await
    }

    async fn statuses(&self) -> Vec<String> {
        let own = self.own_rows();
        let statuses = format!("SELECT status FROM owner_transfers WHERE {own} ORDER BY created_at, id");
        self.database.texts(&statuses).await
    }

    pub(crate) async fn events(&self, action: &str) -> usize {
        self.event_details(action).await.len()
    }
}

impl Deref for TransferFixture {
    type Target = OrgWithOwner;

    fn deref(&self) -> &OrgWithOwner {
        &self.base
    }
}

pub(crate) async fn member(person: &Client) -> Value {
    me(person).await["member_id"].clone()
}

async fn me(person: &Client) -> Value {
    person.get(&format!("{ACME}/me/permissions")).await.expect(200)
}

async fn roles(person: &Client) -> Vec<String> {
    let me = me(person).await;
    let roles = me["roles"].as_array().unwrap().iter();
    roles.map(|role| role["key"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn accept(person: &Client) -> Reply {
    person.request("POST", &format!("{TRANSFER}/accept")).await
}

async fn cancel(person: &Client) -> Reply {
    person.request("POST", &format!("{TRANSFER}/cancel")).await
}

#[tokio::test]
async fn the_member_who_accepts_becomes_the_owner() {
    let acme = TransferFixture::start().await;
    let offered = acme.offer_to(&acme.eve).await;
    let body = offered.expect(201);
    let id = body["organization_id"].as_str().unwrap();
    assert_eq!(offered.header("location").unwrap(), format!("/api/v1/organizations/{id}/transfer"));
    assert_eq!((offered.header("etag"), &body["status"]), (Some("\"1\""), &json!("pending")));
    assert_eq!(body["to_member_id"], member(&acme.eve).await);
    assert_eq!(body["from_member_id"], member(&acme.ada).await);
    // Members see the transfer, and nothing has changed yet.
    for person in [&acme.ada, &acme.eve, &acme.bob] {
        assert_eq!(person.get(TRANSFER).await.expect(200), json!({ "transfer": body }));
    }
    assert_eq!(acme.owners().await, [acme.email("ada")]);

    let accepted = accept(&acme.eve).await;
    assert_eq!(
        (&accepted.expect(200)["status"], accepted.header("etag")),
        (&json!("accepted"), Some("\"2\""))
    );
    assert_eq!(acme.owners().await, [acme.email("eve")]);
    // At once, with the same tokens; roles are in the order in which they were granted.
    assert_eq!(
        (roles(&acme.eve).await, roles(&acme.ada).await),
        (vec!["admin".into(), "owner".into()], vec!["admin".to_owned()])
    );
    acme.ada.delete(ACME).await.problem(403, "FORBIDDEN");
    let versions = format!(
        "SELECT m.version || ' ' || email FROM members m JOIN users u ON u.id = m.user_id WHERE m.{} ORDER BY email",
        acme.own_rows()
    );
    let expected =
        [(2, "ada"), (1, "bob"), (2, "eve")].map(|(version, name)| format!("{version} {}", acme.email(name)));
    assert_eq!(acme.database.texts(&versions).await, expected);
    for (action, number) in [("transfer.offered", 1), ("transfer.accepted", 1), ("member.updated", 2)] {
        assert_eq!(acme.events(action).await, number, "{action}");
    }
    accept(&acme.eve).await.problem(404, "NOT_FOUND");
    assert_eq!(acme.eve.get(TRANSFER).await.expect(200), json!({ "transfer": null }));
}

#[tokio::test]
async fn the_new_owner_gets_an_email() {
    let server = Server::shared_with_mail().await;
    let (inbox, database, slug) = (Inbox::own(&server).await, server.database().await, unique("acme"));
    let anybody = server.client().in_organization(&slug);
    let people = ["ada", "eve"].map(|name| server.email(name));
    for email in &people {
        anybody.register(email).await;
    }
    let verified = "UPDATE users SET email_verified_at = created_at";
    database.execute(&format!("{verified}, first_name = 'Ada' WHERE email = '{}'", people[0])).await;
    database.execute(&format!("{verified} WHERE email = '{}'", people[1])).await;
    let ada = anybody.log_in(&people[0], PASSWORD).await;
    let eve = anybody.log_in(&people[1], PASSWORD).await;
    ada.create_organization(&slug).await;
    ada.patch(ACME, json!({ "name": "<b>Acme</b>" })).await.expect(200);
    database.join(&slug, &people[1], "viewer").await;
    let member_id = member(&eve).await;
    let offered = ada.post(TRANSFER, json!({ "member_id": member_id })).await.expect(201);
    let mail = inbox.last("send_ownership_offered").await;
    assert_eq!(
        (&*mail.to, &*mail.subject),
        (&*people[1], "You have been offered ownership of an organization")
    );
    let until = offered["expires_at"].as_str().unwrap()[..16].replace('T', " ");
    for word in ["Ada", "<b>Acme</b>", &until] {
        assert!(mail.text.contains(word), "{word}: {}", mail.text);
    }
    assert!(mail.html.contains("&lt;b&gt;Acme&lt;/b&gt;") && !mail.html.contains("<b>"), "{}", mail.html);
}

/// What waits for a worker when the organization is deleted is not sent.
#[tokio::test]
async fn the_offer_of_a_deleted_organization_is_not_emailed() {
    let (server, superuser) = Server::with_superuser().await;
    let acme = TransferFixture::of(OrgWithOwner::on(server).await).await;
    superuser.request("POST", "/api/v1/admin/queues/mail/pause").await.expect(200);
    acme.offer_to(&acme.eve).await.expect(201);
    acme.ada.delete(ACME).await.expect(202);
    superuser.request("POST", "/api/v1/admin/queues/mail/resume").await.expect(200);
    let became = "SELECT count(*) FROM emails WHERE template = 'ownership_offered' AND status = 'suppressed'
        AND last_error = 'the organization was deleted'";
    eventually("it is known", async || acme.database.scalar(became).await == 1).await;
}

#[tokio::test]
async fn only_an_owner_offers_it_and_only_to_another_member() {
    let acme = TransferFixture::start().await;
    let (to, own) = (member(&acme.bob).await, member(&acme.ada).await);
    acme.eve.post(TRANSFER, json!({ "member_id": to })).await.problem(403, "FORBIDDEN");
    let nobody = json!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    for (member, fault) in [(own, "NOT_A_CHOICE"), (nobody, "UNKNOWN_REFERENCE")] {
        let reply = acme.ada.post(TRANSFER, json!({ "member_id": member })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("member_id {fault}")]);
    }
    for (spoil, mend) in [
        ("UPDATE members SET status = 'suspended'", "UPDATE members SET status = 'active'"),
        ("UPDATE users SET is_active = false", "UPDATE users SET is_active = true"),
        ("UPDATE users SET deleted_at = created_at", "UPDATE users SET deleted_at = NULL"),
    ] {
        let bob = acme.email("bob");
        let for_bob = |change: &str| match change.contains("members") {
            true => format!("{change} WHERE user_id = (SELECT id FROM users WHERE email = '{bob}')"),
            false => format!("{change} WHERE email = '{bob}'"),
        };
        acme.database.execute(&for_bob(spoil)).await;
        let reply = acme.ada.post(TRANSFER, json!({ "member_id": to })).await;
        assert_eq!((reply.status, reply.faults()), (422, vec!["member_id UNKNOWN_REFERENCE".to_owned()]));
        acme.database.execute(&for_bob(mend)).await;
    }
    acme.database.backdate_logins(&acme.own_users()).await;
    acme.ada.post(TRANSFER, json!({ "member_id": to })).await.problem(403, "REAUTH_REQUIRED");
    assert_eq!(acme.statuses().await, Vec::<String>::new());
}

/// A role may allow it; to own it is something else.
#[tokio::test]
async fn the_permission_alone_is_not_enough() {
    let acme = TransferFixture::start().await;
    let (id, to) = (acme.database.new_id_sql(), member(&acme.bob).await);
    // Her role is one of the organization's own, which allows it.
    let own = acme.own_rows();
    let steward =
        format!("UPDATE roles SET is_builtin = false, key = 'steward' WHERE key = 'admin' AND {own}");
    assert_eq!(acme.database.execute(&steward).await, 1);
    let allow = format!(
        "INSERT INTO role_permissions (id, organization_id, role_id, permission, created_at)
         SELECT {id}, organization_id, id, 'organization:transfer', created_at FROM roles
         WHERE key = 'steward' AND {own}"
    );
    acme.database.execute(&allow).await;
    acme.eve.post(TRANSFER, json!({ "member_id": to })).await.problem(403, "OWNER_PROTECTED");
}

#[tokio::test]
async fn personal_and_foreign_organizations_cannot_be_transferred() {
    let acme = TransferFixture::start().await;
    let mine = acme.ada.get("/api/v1/users/me/organizations?limit=1").await.expect(200);
    let own =
        format!("/api/v1/organizations/{}/transfer", mine["data"][0]["organization"]["id"].as_str().unwrap());
    let offer = json!({ "member_id": mine["data"][0]["member_id"] });
    acme.ada.post(&own, offer).await.problem(409, "PERSONAL_ORGANIZATION");
    let access = acme.superuser().await.with("x-platform-access", "ticket 7");
    let offer = json!({ "member_id": member(&acme.eve).await });
    access.post(TRANSFER, offer).await.problem(409, "NOT_A_MEMBER");
    acme.offer_to(&acme.eve).await.expect(201);
    accept(&access).await.problem(409, "NOT_A_MEMBER");
    // With the permissions of an owner, the superuser can see and cancel the transfer.
    assert_eq!(access.get(TRANSFER).await.expect(200)["transfer"]["status"], "pending");
    assert_eq!(cancel(&access).await.expect(200)["status"], "cancelled");
}

#[tokio::test]
async fn there_is_one_pending_offer_at_a_time() {
    let acme = TransferFixture::start().await;
    acme.offer_to(&acme.eve).await.expect(201);
    for person in [&acme.eve, &acme.bob] {
        acme.offer_to(person).await.problem(409, "TRANSFER_PENDING");
    }
    assert_eq!(cancel(&acme.ada).await.expect(200)["status"], "cancelled");
    accept(&acme.eve).await.problem(404, "NOT_FOUND");
    cancel(&acme.ada).await.problem(404, "NOT_FOUND");
    acme.offer_to(&acme.bob).await.expect(201);
    assert_eq!(cancel(&acme.bob).await.expect(200)["status"], "declined");
    acme.offer_to(&acme.bob).await.expect(201);
    assert_eq!(acme.statuses().await, ["cancelled", "declined", "pending"]);
    for (action, number) in
        [("transfer.offered", 3), ("transfer.cancelled", 1), ("transfer.declined", 1), ("member.updated", 0)]
    {
        assert_eq!(acme.events(action).await, number, "{action}");
    }
    assert_eq!(acme.owners().await, [acme.email("ada")]);
}

#[tokio::test]
async fn others_neither_accept_nor_end_it() {
    let acme = TransferFixture::start().await;
    let stranger = acme.stranger("zoe").await;
    acme.offer_to(&acme.eve).await.expect(201);
    for person in [&acme.ada, &acme.bob] {
        accept(person).await.problem(403, "TRANSFER_NOT_YOURS");
    }
    cancel(&acme.bob).await.problem(403, "TRANSFER_NOT_YOURS");
    for refused in [accept(&stranger).await, cancel(&stranger).await, stranger.get(TRANSFER).await] {
        refused.problem(404, "NOT_FOUND");
    }
    // Another owner can cancel it too.
    acme.database.join(&acme.slug, &acme.email("zoe"), "owner").await;
    assert_eq!(cancel(&stranger).await.expect(200)["status"], "cancelled");
}

#[tokio::test]
async fn acceptance_needs_a_recent_login() {
    let acme = TransferFixture::start().await;
    acme.offer_to(&acme.eve).await.expect(201);
    acme.database.backdate_logins(&acme.own_users()).await;
    accept(&acme.eve).await.problem(403, "REAUTH_REQUIRED");
    acme.eve.post("/api/v1/auth/reauthenticate", json!({ "password": PASSWORD })).await.expect(204);
    accept(&acme.eve).await.expect(200);
}

#[tokio::test]
async fn an_expired_offer_cannot_be_accepted() {
    let acme = TransferFixture::start().await;
    acme.offer_to(&acme.eve).await.expect(201);
    let days = match acme.database {
        TestDatabase::Sqlite(_) => "CAST(round(julianday(expires_at) - julianday(created_at)) AS INTEGER)",
        TestDatabase::Postgres(_) => "extract(day FROM expires_at - created_at)::bigint",
    };
    let own = acme.own_rows();
    let days = format!("SELECT {days} FROM owner_transfers WHERE {own}");
    assert_eq!(acme.database.scalar(&days).await, 7);
    let expire = format!("UPDATE owner_transfers SET expires_at = created_at WHERE {own}");
    assert_eq!(acme.database.execute(&expire).await, 1);
    assert_eq!(acme.eve.get(TRANSFER).await.expect(200), json!({ "transfer": null }));
    accept(&acme.eve).await.problem(410, "TRANSFER_EXPIRED");
    for person in [&acme.ada, &acme.eve] {
        cancel(person).await.problem(410, "TRANSFER_EXPIRED");
    }
    accept(&acme.bob).await.problem(403, "TRANSFER_NOT_YOURS");
    acme.offer_to(&acme.bob).await.expect(201);
    assert_eq!(acme.statuses().await, ["expired", "pending"]);
    assert_eq!(acme.events("transfer.expired").await, 1);
    accept(&acme.bob).await.expect(200);
}

#[tokio::test]
async fn the_offer_of_a_former_owner_is_void() {
    let acme = TransferFixture::start().await;
    acme.join("zoe", "owner").await;
    acme.offer_to(&acme.eve).await.expect(201);
    let ada = acme.email("ada");
    let hers = format!("SELECT id FROM members WHERE user_id = (SELECT id FROM users WHERE email = '{ada}')");
    for (spoil, mend) in [
        (
            format!("UPDATE members SET status = 'suspended' WHERE id IN ({hers})"),
            format!("UPDATE members SET status = 'active' WHERE id IN ({hers})"),
        ),
        (
            format!("UPDATE users SET is_active = false WHERE email = '{ada}'"),
            format!("UPDATE users SET is_active = true WHERE email = '{ada}'"),
        ),
    ] {
        acme.database.execute(&spoil).await;
        accept(&acme.eve).await.problem(409, "TRANSFER_VOID");
        acme.database.execute(&mend).await;
    }
    acme.ada.request("POST", &format!("{ACME}/leave")).await.expect(204);
    accept(&acme.eve).await.problem(409, "TRANSFER_VOID");
    assert_eq!(acme.owners().await, [acme.email("zoe")]);
    cancel(&acme.eve).await.expect(200);
}
