//! The export of tasks.

use serde_json::json;

use super::*;

#[tokio::test]
async fn tasks_are_in_the_file_as_they_are_in_the_order_they_were_made() {
    let acme = RecordedOrg::start().await;
    let (bob, bob_id) = acme.join("bob", "member").await;
    let (open, secret, gone) = (
        acme.create_project("OPEN", "OPEN").await,
        acme.create_project("SECRET", "SECRET").await,
        acme.create_project("GONE", "GONE").await,
    );
    let tag = acme.database.insert_tag(&acme.slug, "later").await;
    let monday = seconds_of_monday();
    let full = TaskFixture {
        id: new_id(),
        project: Some(open.clone()),
        title: "=SUM(A1)".to_owned(),
        description: Some("More\nof it".to_owned()),
        status: "in_progress",
        assignee: Some(bob_id.clone()),
        created: monday + 10,
        tags: vec![tag.clone()],
        ..TaskFixture::default()
    };
    let plain = |title: &str, created: i64| TaskFixture {
        id: new_id(),
        title: title.to_owned(),
        created: monday + created,
        ..TaskFixture::default()
    };
    let jobs = [
        plain("third", 30),
        full.clone(),
        TaskFixture { project: Some(secret), ..plain("hidden", 40) },
        TaskFixture { project: Some(gone.clone()), ..plain("with its project", 50) },
        TaskFixture { is_deleted: true, ..plain("deleted", 60) },
        TaskFixture { status: "done", ..plain("first", 0) },
    ];
    acme.database.insert_tasks(&acme.slug, &jobs).await;
    acme.hide("SECRET").await;
    acme.ada.delete(&format!("{ACME}/projects/{gone}")).await.expect(204);
    let reply = acme.ada.get(&format!("{TASKS}.csv")).await;
    let written = rows(reply.text());
    assert_eq!(
        written[0].join(","),
        "id,title,description,status,priority,due_at,project_id,project_code,assignee_id,assignee_email,position,\
         completed_at,created_at,updated_at,tags"
    );
    let expected = [
        &*full.id,
        "'=SUM(A1)",
        "More\nof it",
        "in_progress",
        "normal",
        "2026-03-02T01:00:10Z",
        &open,
        "OPEN",
        &bob_id,
        &acme.email("bob"),
        "1",
        "",
        "2026-03-02T00:00:10Z",
        "2026-03-02T00:00:10Z",
        "later",
    ];
    assert_eq!(written[2], expected);
    assert_eq!(column(&reply, "title"), ["first", "'=SUM(A1)", "third", "hidden"]);
    assert_eq!(column(&bob.get(&format!("{TASKS}.csv")).await, "title"), ["first", "'=SUM(A1)", "third"]);
    for (query, titles) in [
        ("status=done".to_owned(), &["first"][..]),
        ("status=todo".to_owned(), &["third", "hidden"]),
        (format!("project_id={open}"), &["=SUM(A1)"]),
        (format!("project_id={gone}"), &[]),
    ] {
        let lines = objects(&acme.ada.get(&format!("{TASKS}.jsonl?{query}")).await);
        let exported_titles: Vec<_> = lines.iter().map(|task| task["title"].as_str().unwrap()).collect();
        assert_eq!(exported_titles, titles, "{query}");
    }
    let line = objects(&acme.ada.get(&format!("{TASKS}.jsonl?project_id={open}")).await).remove(0);
    assert_eq!(
        line,
        json!({
            "id": full.id, "title": "=SUM(A1)", "description": "More\nof it", "status": "in_progress",
            "priority": "normal", "due_at": "2026-03-02T01:00:10Z", "project_id": open, "project_code": "OPEN",
            "assignee_id": bob_id, "assignee_email": acme.email("bob"), "position": 1, "completed_at": null,
            "created_at": "2026-03-02T00:00:10Z", "updated_at": "2026-03-02T00:00:10Z", "tags": ["later"],
            "tag_ids": [tag],
        })
    );
    let refused = acme.ada.get(&format!("{TASKS}.csv?status=waiting")).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert_eq!(refused.faults(), ["status NOT_A_CHOICE"]);
}
