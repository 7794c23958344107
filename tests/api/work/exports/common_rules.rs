//! Rules of every export: no formulas in cells, an event, a limit, and concurrent changes.

use serde_json::json;

use super::*;

#[tokio::test]
async fn no_cell_is_a_formula_and_every_cell_can_be_read_back() {
    let acme = RecordedOrg::start().await;
    let notes = ["=1+1", "+1", "-1", "@SUM(1,1)", "\tx", "'quoted", "'=1+1", "plain", "it's", "\"=1\""];
    let entries: Vec<_> = (0..)
        .zip(notes)
        .map(|(hour, text)| TimeEntryFixture { notes: Some(text.to_owned()), ..acme.half_hour(hour) })
        .collect();
    acme.database.insert_time_entries(&acme.slug, &entries).await;
    let cells = column(&acme.ada.get(&format!("{ENTRIES}.csv")).await, "notes");
    assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t'])), "{cells:?}");
    let read_back = cells.iter().map(|cell| cell.strip_prefix('\'').unwrap_or(cell));
    assert_eq!(read_back.collect::<Vec<_>>(), notes);
    let lines = objects(&acme.ada.get(&format!("{ENTRIES}.jsonl")).await);
    let as_they_are: Vec<_> = lines.iter().map(|line| line["notes"].as_str().unwrap()).collect();
    assert_eq!(as_they_are, notes);
}

#[tokio::test]
async fn an_export_is_written_down_with_its_filters() {
    let acme = RecordedOrg::start().await;
    let from = "2026-03-01T00:00:00Z";
    file(&acme.ada.get(&format!("{ENTRIES}.csv?from={from}&member_id={}", acme.member)).await);
    file(&acme.ada.get(&format!("{ENTRIES}.jsonl")).await);
    file(&acme.ada.get(&format!("{TASKS}.csv")).await);
    file(&acme.ada.get(&format!("{TASKS}.jsonl?status=done&project_id={}", acme.member)).await);
    // What is refused is none.
    acme.ada.get(&format!("{ENTRIES}.csv?from={from}&to={from}")).await.problem(422, "VALIDATION_FAILED");
    let recorded = async |action: &str| {
        let page = acme.ada.get(&format!("{ACME}/audit-events?action={action}")).await.expect(200);
        let events = page["data"].as_array().unwrap().clone();
        events.into_iter().map(|event| event["details"]["after"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        recorded("time_entries.exported").await,
        [
            json!({ "format": "jsonl", "from": null, "to": null, "member_id": null, "project_id": null }),
            json!({ "format": "csv", "from": from, "to": null, "member_id": acme.member, "project_id": null }),
        ]
    );
    assert_eq!(
        recorded("tasks.exported").await,
        [
            json!({ "format": "jsonl", "project_id": acme.member, "status": "done" }),
            json!({ "format": "csv", "project_id": null, "status": null }),
        ]
    );
}

#[tokio::test]
async fn exports_of_an_organization_are_counted_together() {
    let server = Server::builder().env("INSULA_LIMIT_EXPORT", "4/h").start().await;
    let org = OrgWithOwner::on(server).await;
    let ada = &org.owner;
    ada.create_organization("other").await;
    let paths = [ENTRIES, TASKS].map(|path| ["csv", "jsonl"].map(|format| format!("{path}.{format}")));
    for path in paths.as_flattened() {
        let reply = ada.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.header("ratelimit").unwrap().contains("\"export\""), "{path}");
    }
    for path in paths.as_flattened() {
        ada.get(path).await.problem(429, "RATE_LIMITED");
    }
    file(&ada.get(&paths[0][0].replace("{org}", "other")).await);
}

/// More than two batches, whose borders lie among entries that began together; changed while they are read.
#[tokio::test]
async fn what_changes_meanwhile_does_no_harm() {
    let acme = RecordedOrg::start().await;
    let entry = |number: i64| {
        let started = seconds_of_monday() + number / 7 * 60;
        TimeEntryFixture { started, ended: Some(started + 1), ..acme.half_hour(0) }
    };
    let entries: Vec<_> = (0..2_500).map(entry).collect();
    acme.database.insert_time_entries(&acme.slug, &entries).await;
    let path = format!("{ENTRIES}.csv");
    let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(column(&acme.ada.get(&path).await, "id"), ids);
    let change = async {
        for number in 0..40 {
            let change = format!(
                "UPDATE time_entries SET notes = 'change {number}' WHERE id IN
                 (SELECT id FROM time_entries WHERE {} ORDER BY started_at, id LIMIT 20 OFFSET {})",
                acme.own_rows(),
                number * 60
            );
            acme.database.execute(&change).await;
        }
    };
    let read = async {
        let mut replies = vec![];
        for _ in 0..4 {
            replies.push(acme.ada.get(&path).await);
        }
        replies
    };
    let ((), replies) = tokio::join!(change, read);
    for reply in replies {
        assert_eq!(column(&reply, "id"), ids);
    }
    let changed = column(&acme.ada.get(&path).await, "notes");
    assert_eq!(changed.iter().filter(|notes| notes.starts_with("change ")).count(), 800);
}
