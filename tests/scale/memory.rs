//! The memory of the server during exports of all rows must not grow with their number.

use std::time::Instant;

use insula_tests::{Server, console};
use serde_json::json;

const ACME: &str = "/api/v1/organizations/acme";

/// Limit of the growth of memory in bytes.
const GROWTH: u64 = 32 * MEBIBYTE;
const MEBIBYTE: u64 = 1024 * 1024;

/// Exports all entries in each format; returns the faults.
pub(crate) async fn run(rows: usize) -> Vec<String> {
    console::title(&format!("The memory of an export of {rows} time entries"));
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let project = json!({ "code": "ENGINE", "name": "Engine" });
    let project = ada.post(&format!("{ACME}/projects"), project).await.expect(201);
    let project = project["id"].as_str().expect("an id").to_owned();
    let database = server.database().await;
    let member = database.member_id("acme", "ada@example.com").await;
    let from = Instant::now();
    database.insert_many_time_entries("acme", (&member, &project), rows).await;
    database.execute("ANALYZE").await;
    console::line(&format!("  inserted in {} s", from.elapsed().as_secs()));
    let mut faults = Vec::new();
    let mut table = Vec::new();
    for format in ["csv", "jsonl"] {
        let path = format!("{ACME}/exports/time-entries.{format}");
        // One-time allocations, such as prepared statements, happen before.
        ada.get(&format!("{path}?to=2020-01-02T00:00:00Z")).await;
        let before = server.memory();
        if !server.reset_peak_memory() {
            faults.push(format!("{format}: the system does not tell the peak of a while"));
        }
        let from = Instant::now();
        let (mut lines, mut bytes) = (0, 0);
        let headers = ada.get(&path).download(|piece| {
            bytes += piece.len();
            lines += piece.iter().filter(|byte| **byte == b'\n').count();
        });
        let headers = headers.await;
        let took = from.elapsed();
        let (after, peak) = (server.memory(), server.peak_memory());
        let growth = peak.saturating_sub(before);
        let head = usize::from(format == "csv");
        let total_count =
            headers.get("x-total-count").and_then(|count| count.to_str().ok()).unwrap_or("nothing");
        if lines != rows + head || total_count != rows.to_string() {
            faults.push(format!(
                "{format}: {lines} lines came, and {total_count} were announced, of {rows} entries"
            ));
        }
        if before == 0 || growth > GROWTH {
            let (growth, most) = (mebibytes(growth), mebibytes(GROWTH));
            faults.push(format!("{format}: grew by {growth}, and may by {most}"));
        }
        table.push(
            [
                format.to_owned(),
                mebibytes(bytes as u64),
                format!("{:.1}", took.as_secs_f64()),
                mebibytes(before),
                mebibytes(peak),
                mebibytes(after),
                format!("{} <= {}", mebibytes(growth), mebibytes(GROWTH)),
            ]
            .to_vec(),
        );
    }
    console::table(&["format", "MiB sent", "s", "MiB before", "at most", "after", "growth"], &table);
    faults
}

fn mebibytes(bytes: u64) -> String {
    bytes.div_ceil(MEBIBYTE).to_string()
}
