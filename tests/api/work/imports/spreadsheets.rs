//! Files as spreadsheets write them are read, or refused with advice.

use insula_tests::{OrgFixture, Reply};
use serde_json::{Value, json};

const FILE: &str = "started_at,ended_at,notes,billable\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,Zoë,true\n";

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

async fn send(org: &OrgFixture, content_type: &str, file: impl Into<Vec<u8>>) -> Reply {
    org.mia.request("POST", &org.path("/imports/time-entries")).body(content_type, file).await
}

#[tokio::test]
async fn every_form_of_a_file_is_the_same_file() {
    let org = OrgFixture::start().await;
    let semicolons = FILE.replace(',', ";");
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("text/csv", FILE.into()),
        ("text/csv; charset=utf-8; header=present", FILE.into()),
        ("application/csv", FILE.into()),
        ("application/vnd.ms-excel", FILE.into()),
        ("text/plain; charset=UTF-8", FILE.into()),
        ("text/csv", format!("\u{feff}{FILE}").into()),
        ("application/vnd.ms-excel", format!("\u{feff}{}", semicolons.replace('\n', "\r\n")).into()),
        ("text/csv", format!("sep=;\r\n{semicolons}").into()),
        ("text/csv", FILE.replace('\n', "\r").into()),
        ("text/csv", FILE.replace(",true", ",TRUE").replace("started_at", "STARTED AT").into()),
        ("text/csv", format!("{}\n,,,\n\n,,,\n", FILE.replace('\n', ",,\n")).into()),
        ("text/plain", utf_16(&format!("\u{feff}{}", FILE.replace(',', "\t")))),
        ("text/csv; charset=utf-16le", utf_16(FILE)),
        (
            "text/csv; charset=windows-1252",
            FILE.replace('ë', "?").bytes().map(|b| if b == b'?' { 0xeb } else { b }).collect(),
        ),
    ];
    let count = forms.len();
    for (content_type, file) in forms {
        let shown = String::from_utf8_lossy(&file).into_owned();
        let done = send(&org, content_type, file).await;
        assert_eq!(done.status, 200, "{content_type} {shown:?}: {}", done.text());
        assert_eq!(done.json()["imported"], 1, "{content_type} {shown:?}");
    }
    let list = org.mia.get(&org.path("/time-entries?limit=100")).await.expect(200);
    let entries = list["data"].as_array().unwrap();
    assert_eq!(entries.len(), count);
    let same = |entry: &Value| entry["notes"] == "Zoë" && entry["billable"] == true;
    assert!(entries.iter().all(same), "{list}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_what_to_do() {
    let org = OrgFixture::start().await;
    for (content_type, file, words) in [
        ("text/csv", b"started_at,ended_at,notes\n,,Zo\xeb\n".to_vec(), "charset=windows-1252"),
        ("text/csv", utf_16(FILE), "charset=utf-16le"),
        ("text/csv; charset=utf-16le", b"a\0b".to_vec(), "UTF-16LE"),
    ] {
        let refused = send(&org, content_type, file).await;
        let problem = refused.problem(400, "BAD_REQUEST");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    for content_type in ["application/json", "text/csv; charset=klingon", "text/html"] {
        send(&org, content_type, FILE).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

/// A byte order mark makes spreadsheets read UTF-8; a time zone makes them show the time that users mean.
#[tokio::test]
async fn an_export_is_written_for_spreadsheets_where_that_is_asked_for() {
    let org = OrgFixture::start().await;
    let span = ("2026-03-02T08:00:00Z", "2026-07-02T07:00:00Z");
    org.update_settings(json!({ "time_entry_max_hours": 744, "time_entry_future": "allow" })).await;
    org.create_time_entry(&org.mia, (span.0, "2026-03-02T09:00:00Z"), json!({ "notes": "Zoë" })).await;
    org.create_time_entry(&org.mia, (span.1, "2026-07-02T08:00:00Z"), json!({})).await;
    org.create("/tasks", json!({ "title": "Oil it", "due_at": span.1 })).await;
    let get = async |path: &str| {
        let reply = org.owner.get(&org.path(&format!("/exports/{path}"))).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.text().to_owned()
    };
    for file in ["time-entries.csv", "tasks.csv", "audit-events.csv"] {
        assert!(get(&format!("{file}?bom=true")).await.starts_with("\u{feff}"), "{file}");
        assert!(!get(&format!("{file}?bom=false")).await.starts_with("\u{feff}"), "{file}");
    }
    for file in ["time-entries.csv", "time-entries.jsonl"] {
        let local = get(&format!("{file}?timezone=America%2FNew_York")).await;
        for instant in ["2026-03-02T03:00:00-05:00", "2026-07-02T03:00:00-04:00"] {
            assert!(local.contains(instant), "{file}: {local}");
        }
    }
    for file in ["tasks.csv", "tasks.jsonl"] {
        assert!(
            get(&format!("{file}?timezone=Asia%2FKathmandu")).await.contains("2026-07-02T12:45:00+05:45")
        );
        let refused = org.owner.get(&org.path(&format!("/exports/{file}?timezone=Mars"))).await;
        refused.problem(422, "VALIDATION_FAILED");
        assert_eq!(refused.faults(), ["timezone UNKNOWN_TIMEZONE"]);
    }
}
