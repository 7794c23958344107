//! Tests the isolation of transactions, with the table of projects.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, sea_query::Expr};

use super::{
    ExpectedVersion, OrgTx,
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
    storage::audit::{Action, EventDetails},
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
    test_db: &TestDb,
    tenant: TestTenant,
    code: &str,
    map: impl FnOnce(projects::Project) -> T,
) -> T {
    let tx = test_db.begin::<ProjectsCreate>(tenant).await;
    let new = projects::NewProject {
        code: ProjectCode::parse(code).unwrap(),
        name: Name::parse(code).unwrap(),
        color: None,
        is_private: false,
        estimate_seconds: None,
    };
    let created = projects::create(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    map(created)
}

#[tokio::test]
async fn rows_of_other_organizations_are_not_found() {
    let test_db = TestDb::new().await;
    let (ours, theirs) = (test_db.tenant("ours").await, test_db.tenant("theirs").await);
    let id = project(&test_db, theirs, "X", |project| project.id).await;

    let tx = test_db.begin::<ProjectsRead>(ours).await;
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 0);
    assert!(!tx.find::<Entity>().filter(Column::Id.eq(id)).exists().await.unwrap());
    assert!(matches!(projects::get(&tx, id).await, Err(Error::NotFound("project"))));
    assert_eq!(
        tx.require_existing::<Entity>("project_id", id).await.unwrap_err().code(),
        ErrorCode::ValidationFailed
    );
    // The scope is combined with any condition by AND.
    let wide = Condition::any().add(Column::Id.eq(id)).add(Column::OrganizationId.eq(theirs.org));
    assert_eq!(tx.find::<Entity>().filter(wide).all().await.unwrap(), []);
    drop(tx);

    let tx = test_db.begin::<ProjectsUpdate>(ours).await;
    let changed = projects::update(&tx, id, projects::ProjectChanges::default(), &ExpectedVersion::Any).await;
    assert!(matches!(changed, Err(Error::NotFound("project"))));
    let update = ActiveModel { id: Set(id), name: Set("stolen".into()), ..Default::default() };
    assert!(matches!(tx.update(update).await, Err(Error::NotFound("project"))));
    assert_eq!(tx.delete::<Entity>(Column::Id.eq(id)).await.unwrap(), 0);
    drop(tx);

    let tx = test_db.begin::<ProjectsRead>(theirs).await;
    assert_eq!(projects::get(&tx, id).await.unwrap().name, "X");
}

#[tokio::test]
async fn a_row_belongs_to_the_organization_of_the_scope() {
    let test_db = TestDb::new().await;
    let (ours, theirs) = (test_db.tenant("ours").await, test_db.tenant("theirs").await);
    let tx = test_db.begin::<ProjectsCreate>(ours).await;
    let foreign = ActiveModel { organization_id: Set(theirs.org), ..row(&tx, "A") };
    let inserted = tx.insert(foreign.clone()).await.unwrap();
    assert_eq!(inserted.organization_id, ours.org);
    let rows =
        vec![ActiveModel { id: Set(ProjectId::new(tx.now())), code_key: Set("b".into()), ..foreign.clone() }];
    tx.insert_many(rows).await.unwrap();
    // An update neither moves a row nor changes another one.
    let moved = ActiveModel {
        id: Set(inserted.id),
        organization_id: Set(theirs.org),
        name: Set("B".into()),
        ..Default::default()
    };
    assert_eq!(tx.update(moved).await.unwrap().organization_id, ours.org);
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 2);
    tx.record(Action::ProjectCreated, inserted.id, EventDetails::created(serde_json::json!({})))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(test_db.begin::<ProjectsRead>(theirs).await.find::<Entity>().count().await.unwrap(), 0);
}

/// More rows than one statement of either database accepts.
#[tokio::test]
async fn any_number_of_rows_can_be_inserted_found_changed_and_deleted() {
    const MANY: usize = 33_000;
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let tx = test_db.begin::<ProjectsCreate>(ours).await;
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
    // Both databases refuse so many values in one statement.
    let uncut = tx.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).all().await;
    assert!(matches!(uncut, Err(Error::Storage(_))));
    assert_eq!(tx.delete_in_chunks::<Entity>(Column::Id, ids).await.unwrap(), MANY as u64);
}

#[tokio::test]
async fn pages_contain_every_row_once_in_both_directions() {
    let test_db = TestDb::new().await;
    let (ours, theirs) = (test_db.tenant("ours").await, test_db.tenant("theirs").await);
    project(&test_db, theirs, "foreign", drop).await;
    let tx = test_db.begin::<ProjectsCreate>(ours).await;
    // All rows have the same instant and name, so only the id distinguishes them.
    let rows =
        (0..25).map(|n| ActiveModel { name: Set("same".into()), ..row(&tx, &format!("p{n}")) }).collect();
    tx.insert_many(rows).await.unwrap();
    tx.record(Action::ProjectCreated, "many", EventDetails::created(serde_json::json!({}))).await.unwrap();
    tx.commit().await.unwrap();
    for key in [ProjectKey::CreatedAt, ProjectKey::Name, ProjectKey::Code] {
        let mut walks = Vec::new();
        for descending in [false, true] {
            let (mut ids, mut after) = (Vec::new(), None);
            loop {
                let tx = test_db.begin::<ProjectsRead>(ours).await;
                let listing = PageRequest { limit: 7, sort: Sort { key, descending }, after };
                let page = projects::list(&tx, projects::ProjectFilter::default(), listing).await.unwrap();
                assert!(page.data.len() == 7 || page.next.is_none());
                ids.extend(page.data.into_iter().map(|project| project.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            walks.push(ids);
        }
        assert_eq!(walks[0].len(), 25, "{key:?}");
        assert!(walks[0].iter().eq(walks[1].iter().rev()), "{key:?}");
    }
}

#[tokio::test]
async fn deleted_rows_are_hidden_and_can_be_restored() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let id = project(&test_db, ours, "X", |project| project.id).await;
    let tx = test_db.begin::<ProjectsDelete>(ours).await;
    assert!(matches!(projects::restore(&tx, id).await, Err(Error::NotFound("project"))));
    projects::delete(&tx, id, &ExpectedVersion::OneOf(vec![1])).await.unwrap();
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 0);
    assert_eq!(tx.find_deleted::<Entity>().count().await.unwrap(), 1);
    assert!(tx.require_existing::<Entity>("project_id", id).await.is_err());
    tx.commit().await.unwrap();
    // Its code is free again, so it cannot be restored.
    let other = project(&test_db, ours, "x", |project| project.id).await;
    let tx = test_db.begin::<ProjectsDelete>(ours).await;
    assert_eq!(projects::restore(&tx, id).await.unwrap_err().code(), ErrorCode::ProjectCodeTaken);
    drop(tx);
    let tx = test_db.begin::<ProjectsDelete>(ours).await;
    projects::delete(&tx, other, &ExpectedVersion::Any).await.unwrap();
    assert_eq!(projects::restore(&tx, id).await.unwrap().version, 3);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_change_without_an_event_is_not_committed_in_debug_builds() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let tx = test_db.begin::<ProjectsCreate>(ours).await;
    tx.insert(row(&tx, "A")).await.unwrap();
    assert!(matches!(tx.commit().await, Err(Error::Internal(_))));
    // A transaction without writes needs no event.
    test_db.begin::<ProjectsUpdate>(ours).await.commit().await.unwrap();
    assert_eq!(test_db.begin::<ProjectsRead>(ours).await.find::<Entity>().count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_commit_fails_while_a_scope_is_in_use() {
    let test_db = TestDb::new().await;
    let ours = test_db.tenant("ours").await;
    let tx = test_db.begin::<SettingsUpdate>(ours).await;
    tx.enqueue(&crate::storage::outbox::Job::SendWelcome { user: ours.owner }).await.unwrap();
    assert_eq!(tx.org(), ours.org);
    drop(tx);
    let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
    let platform = tx.platform().await.unwrap();
    // The scope is still in use.
    assert!(matches!(tx.commit().await, Err(Error::Internal(_))));
    drop(platform);
}

/// What `change` invalidates in this process: the tenant's organization and its owner.
async fn invalidated_by(test_db: &TestDb, tenant: TestTenant, change: impl AsyncFnOnce()) -> (bool, bool) {
    let cache = InvalidatingCache::new(test_db.db.cluster(), Duration::from_secs(3600));
    for invalidation in [Invalidation::Org(tenant.org), Invalidation::User(tenant.owner)] {
        cache.insert(invalidation, (), cache.begin_lookup(), &[invalidation]);
    }
    change().await;
    let is_invalidated = |invalidation| cache.get(&invalidation).is_none();
    (is_invalidated(Invalidation::Org(tenant.org)), is_invalidated(Invalidation::User(tenant.owner)))
}

#[tokio::test]
async fn committed_changes_of_access_invalidate_caches() {
    let test_db = TestDb::new().await;
    let acme = test_db.tenant("acme").await;
    let (eve, bob) = (test_db.tenant("eve").await.owner, test_db.tenant("bob").await.owner);
    let join = async |user, is_committed: bool| {
        let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        accounts::join(&tx, acme.org, user, BuiltinRole::Viewer).await.unwrap();
        match is_committed {
            true => tx.commit().await.unwrap(),
            false => drop(tx),
        }
    };
    assert_eq!(invalidated_by(&test_db, acme, async || join(eve, false).await).await, (false, false));
    assert_eq!(invalidated_by(&test_db, acme, async || join(eve, true).await).await, (true, false));
    // Other processes with the same database are not notified.
    let elsewhere = test_db.elsewhere();
    assert_eq!(invalidated_by(&elsewhere, acme, async || join(bob, true).await).await, (false, false));

    let promote = async || {
        let tx = test_db.db.begin_global(AuditOrigin::SYSTEM).await.unwrap();
        let email = EmailAddress::parse("owner@acme.example").unwrap();
        assert!(accounts::ensure_superuser(&tx, email, "no hash".into()).await.unwrap());
        tx.commit().await.unwrap();
    };
    assert_eq!(invalidated_by(&test_db, acme, promote).await, (false, true));
    let work = async || drop(project(&test_db, acme, "P", |project| project).await);
    assert_eq!(invalidated_by(&test_db, acme, work).await, (false, false));
}
