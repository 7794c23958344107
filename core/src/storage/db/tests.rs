//! The walls of the unit of work, tried from the inside, where a noun stands.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, sea_query::Expr};

use super::{
    Expected, OrgTx,
    test_db::{TestDb, TestTenant},
};
use crate::{
    Error,
    base::{
        error::ErrorCode,
        ids::ProjectId,
        pagination::{PageRequest, Sort},
        permissions::{
            AuditOrigin, BuiltinRole, ProjectsCreate, ProjectsDelete, ProjectsRead, ProjectsUpdate,
            SettingsUpdate,
        },
        text::{EmailAddress, Name, ProjectCode},
    },
    lifecycle::accounts,
    runtime::cluster::{InvalidatingCache, Invalidation},
    storage::audit::{Action, Details},
    work::projects::{
        self, ProjectKey,
        entity::{ActiveModel, Column, Entity},
    },
};

fn row(tx: &OrgTx<ProjectsCreate>, code: &str) -> ActiveModel {
    ActiveModel {
        id: Set(ProjectId::new(tx.now())),
        code: Set(code.to_owned()),
        code_key: Set(code.to_lowercase()),
        name: Set(code.to_owned()),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
        ..Default::default()
    }
}

async fn project<T>(
    sandbox: &TestDb,
    tenant: TestTenant,
    code: &str,
    then: impl FnOnce(projects::Project) -> T,
) -> T {
    let tx = sandbox.begin::<ProjectsCreate>(tenant).await;
    let new = projects::NewProject {
        code: ProjectCode::parse(code).unwrap(),
        name: Name::parse(code).unwrap(),
        color: None,
        is_private: false,
        estimate_seconds: None,
    };
    let made = projects::create(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    then(made)
}

#[tokio::test]
async fn another_organizations_row_is_not_found_by_any_door() {
    let sandbox = TestDb::new().await;
    let (ours, theirs) = (sandbox.tenant("ours").await, sandbox.tenant("theirs").await);
    let id = project(&sandbox, theirs, "X", |project| project.id).await;

    let tx = sandbox.begin::<ProjectsRead>(ours).await;
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 0);
    assert!(!tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await.unwrap());
    assert!(matches!(projects::get(&tx, id).await, Err(Error::NotFound("project"))));
    assert_eq!(
        tx.require_existing::<Entity>("project_id", id).await.unwrap_err().code(),
        ErrorCode::ValidationFailed
    );
    // However a condition is written, the scope is joined to it by AND.
    let wide = Condition::any().add(Column::Id.eq(id)).add(Column::OrganizationId.eq(theirs.org));
    assert_eq!(tx.find::<Entity>().filter(wide).all().await.unwrap(), []);
    drop(tx);

    let tx = sandbox.begin::<ProjectsUpdate>(ours).await;
    let changed = projects::update(&tx, id, projects::ProjectChanges::default(), &Expected::Any).await;
    assert!(matches!(changed, Err(Error::NotFound("project"))));
    let update = ActiveModel { id: Set(id), name: Set("stolen".into()), ..Default::default() };
    assert!(matches!(tx.update(update).await, Err(Error::NotFound("project"))));
    assert_eq!(tx.delete::<Entity>(Column::Id.eq(id)).await.unwrap(), 0);
    drop(tx);

    let tx = sandbox.begin::<ProjectsRead>(theirs).await;
    assert_eq!(projects::get(&tx, id).await.unwrap().name, "X");
}

#[tokio::test]
async fn a_row_belongs_to_the_scope_whatever_it_says() {
    let sandbox = TestDb::new().await;
    let (ours, theirs) = (sandbox.tenant("ours").await, sandbox.tenant("theirs").await);
    let tx = sandbox.begin::<ProjectsCreate>(ours).await;
    let smuggled = ActiveModel { organization_id: Set(theirs.org), ..row(&tx, "A") };
    let kept = tx.insert(smuggled.clone()).await.unwrap();
    assert_eq!(kept.organization_id, ours.org);
    let rows = vec![ActiveModel {
        id: Set(ProjectId::new(tx.now())),
        code_key: Set("b".into()),
        ..smuggled.clone()
    }];
    tx.insert_many(rows).await.unwrap();
    // An update neither moves a row nor reaches another one.
    let moved = ActiveModel {
        id: Set(kept.id),
        organization_id: Set(theirs.org),
        name: Set("B".into()),
        ..Default::default()
    };
    assert_eq!(tx.update(moved).await.unwrap().organization_id, ours.org);
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 2);
    tx.record(Action::ProjectCreated, kept.id, Details::created(serde_json::json!({}))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sandbox.begin::<ProjectsRead>(theirs).await.find::<Entity>().count().await.unwrap(), 0);
}

/// More than one statement of either database takes.
#[tokio::test]
async fn any_number_of_rows_is_added_found_changed_and_removed() {
    const MANY: usize = 33_000;
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let tx = sandbox.begin::<ProjectsCreate>(ours).await;
    let rows: Vec<_> = (0..MANY).map(|number| row(&tx, &format!("p{number}"))).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone().unwrap()).collect();
    tx.insert_many(rows).await.unwrap();
    let keys = (0..MANY).map(|number| format!("p{number}"));
    assert_eq!(tx.find::<Entity>().all_of(Column::CodeKey, keys).await.unwrap().len(), MANY);
    let locked = tx.find::<Entity>().all_locked_of(ids.iter().rev().copied()).await.unwrap();
    assert!(locked.len() == MANY && locked.is_sorted_by_key(|project| project.id));
    let columns = [(Column::Version, Expr::value(7))];
    assert_eq!(tx.update_in_chunks::<Entity>(columns, ids.iter().copied()).await.unwrap(), MANY as u64);
    let each = ids.iter().map(|id| ((*id).into(), vec![8_i64.into()]));
    assert_eq!(tx.update_each::<Entity>(&[Column::Version], each).await.unwrap(), MANY as u64);
    assert_eq!(tx.find::<Entity>().filter(Column::Version.eq(8)).count().await.unwrap(), MANY as u64);
    // Whoever names so many in one statement is told, on both databases.
    let uncut = tx.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).all().await;
    assert!(matches!(uncut, Err(Error::Storage(_))));
    assert_eq!(tx.delete_in_chunks::<Entity>(Column::Id, ids).await.unwrap(), MANY as u64);
}

#[tokio::test]
async fn pages_visit_every_row_once_in_both_directions_also_where_keys_are_equal() {
    let sandbox = TestDb::new().await;
    let (ours, theirs) = (sandbox.tenant("ours").await, sandbox.tenant("theirs").await);
    project(&sandbox, theirs, "foreign", drop).await;
    let tx = sandbox.begin::<ProjectsCreate>(ours).await;
    // All of one instant and name: only the id tells them apart.
    let rows =
        (0..25).map(|n| ActiveModel { name: Set("same".into()), ..row(&tx, &format!("p{n}")) }).collect();
    tx.insert_many(rows).await.unwrap();
    tx.record(Action::ProjectCreated, "many", Details::created(serde_json::json!({}))).await.unwrap();
    tx.commit().await.unwrap();
    for key in [ProjectKey::CreatedAt, ProjectKey::Name, ProjectKey::Code] {
        let mut walks = Vec::new();
        for descending in [false, true] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let tx = sandbox.begin::<ProjectsRead>(ours).await;
                let listing = PageRequest { limit: 7, sort: Sort { key, descending }, after };
                let page = projects::list(&tx, projects::ProjectFilter::default(), listing).await.unwrap();
                assert!(page.data.len() == 7 || page.next.is_none());
                seen.extend(page.data.into_iter().map(|project| project.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            walks.push(seen);
        }
        assert_eq!(walks[0].len(), 25, "{key:?}");
        assert!(walks[0].iter().eq(walks[1].iter().rev()), "{key:?}");
    }
}

#[tokio::test]
async fn what_is_deleted_is_behind_one_door_and_comes_back_through_it() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let id = project(&sandbox, ours, "X", |project| project.id).await;
    let tx = sandbox.begin::<ProjectsDelete>(ours).await;
    assert!(matches!(projects::restore(&tx, id).await, Err(Error::NotFound("project"))));
    projects::delete(&tx, id, &Expected::OneOf(vec![1])).await.unwrap();
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 0);
    assert_eq!(tx.find_deleted::<Entity>().count().await.unwrap(), 1);
    assert!(tx.require_existing::<Entity>("project_id", id).await.is_err());
    tx.commit().await.unwrap();
    // Its code is free again, and then it cannot come back.
    let other = project(&sandbox, ours, "x", |project| project.id).await;
    let tx = sandbox.begin::<ProjectsDelete>(ours).await;
    assert_eq!(projects::restore(&tx, id).await.unwrap_err().code(), ErrorCode::ProjectCodeTaken);
    drop(tx);
    let tx = sandbox.begin::<ProjectsDelete>(ours).await;
    projects::delete(&tx, other, &Expected::Any).await.unwrap();
    assert_eq!(projects::restore(&tx, id).await.unwrap().version, 3);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_change_without_an_event_is_not_committed_in_debug_builds() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let tx = sandbox.begin::<ProjectsCreate>(ours).await;
    tx.insert(row(&tx, "A")).await.unwrap();
    assert!(matches!(tx.commit().await, Err(Error::Broken(_))));
    // To have written nothing needs no event.
    sandbox.begin::<ProjectsUpdate>(ours).await.commit().await.unwrap();
    assert_eq!(sandbox.begin::<ProjectsRead>(ours).await.find::<Entity>().count().await.unwrap(), 0);
}

#[tokio::test]
async fn one_transaction_enters_several_organizations_one_after_the_other() {
    let sandbox = TestDb::new().await;
    let ours = sandbox.tenant("ours").await;
    let tx = sandbox.begin::<SettingsUpdate>(ours).await;
    tx.enqueue(&crate::storage::outbox::Job::SendWelcome { user: ours.owner }).await.unwrap();
    assert_eq!(tx.org(), ours.org);
    drop(tx);
    let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    let platform = tx.platform().await.unwrap();
    // Somebody still holds the scope.
    assert!(matches!(tx.commit().await, Err(Error::Broken(_))));
    drop(platform);
}

/// What a change by `change` makes the process forget, of the tenant's organization and of his owner.
async fn forgets(sandbox: &TestDb, tenant: TestTenant, change: impl AsyncFnOnce()) -> (bool, bool) {
    let remembered = InvalidatingCache::new(sandbox.db.cluster(), Duration::from_secs(3600));
    for touch in [Invalidation::Org(tenant.org), Invalidation::User(tenant.owner)] {
        remembered.insert(touch, (), remembered.begin_lookup(), &[touch]);
    }
    change().await;
    let is_gone = |touch| remembered.get(&touch).is_none();
    (is_gone(Invalidation::Org(tenant.org)), is_gone(Invalidation::User(tenant.owner)))
}

#[tokio::test]
async fn what_decides_access_touches_when_it_is_committed_and_only_then() {
    let sandbox = TestDb::new().await;
    let acme = sandbox.tenant("acme").await;
    let (eve, bob) = (sandbox.tenant("eve").await.owner, sandbox.tenant("bob").await.owner);
    let join = async |user, is_committed: bool| {
        let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        accounts::join(&tx, acme.org, user, BuiltinRole::Viewer).await.unwrap();
        match is_committed {
            true => tx.commit().await.unwrap(),
            false => drop(tx),
        }
    };
    assert_eq!(forgets(&sandbox, acme, async || join(eve, false).await).await, (false, false));
    assert_eq!(forgets(&sandbox, acme, async || join(eve, true).await).await, (true, false));
    // Whoever else has the database open is not told.
    let elsewhere = sandbox.elsewhere();
    assert_eq!(forgets(&elsewhere, acme, async || join(bob, true).await).await, (false, false));

    let promote = async || {
        let tx = sandbox.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        let email = EmailAddress::parse("owner@acme.example").unwrap();
        assert!(accounts::ensure_superuser(&tx, email, "no hash".into()).await.unwrap());
        tx.commit().await.unwrap();
    };
    assert_eq!(forgets(&sandbox, acme, promote).await, (false, true));
    let work = async || drop(project(&sandbox, acme, "P", |project| project).await);
    assert_eq!(forgets(&sandbox, acme, work).await, (false, false));
}
