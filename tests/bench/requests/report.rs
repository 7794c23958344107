//! The results as tables, as JSON, and in `docs/performance.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use insula_tests::{binary, console};
use serde_json::{Value, json};

use super::{
    Scale,
    plots::{self, GrowthPoint, LoadPoint},
    rounds::Summary,
    targets::targets,
};
use crate::{load, machine};

/// What surrounds the tables in the document.
const MARKERS: [&str; 2] = ["<!-- bench requests: begin -->\n", "<!-- bench requests: end -->\n"];

/// How the server starts, and its memory in bytes.
#[derive(Default)]
pub(super) struct StartReport {
    /// Milliseconds from the start of the process until it listens.
    pub(super) cold_start: f64,
    pub(super) idle: u64,
    pub(super) loaded: u64,
}

/// All results.
pub(super) struct Report {
    scale: Scale,
    /// The load of the machine at the beginning.
    load: String,
    pub(super) start: StartReport,
    /// Bytes of the program.
    pub(super) binary: u64,
    pub(super) insula: Vec<Summary>,
    pub(super) floor: Vec<Summary>,
    /// Statements and round trips per request, in the order of `insula`.
    pub(super) counts: Vec<[f64; 2]>,
    pub(super) levels: Vec<LoadPoint>,
    pub(super) growth: Vec<GrowthPoint>,
    pub(super) sqlite: Vec<Summary>,
}

impl Report {
    pub(super) fn new(scale: Scale) -> Self {
        Self {
            scale,
            load: load(),
            start: StartReport::default(),
            binary: fs::metadata(binary("insula")).map_or(0, |file| file.len()),
            insula: Vec::new(),
            floor: Vec::new(),
            counts: Vec::new(),
            levels: Vec::new(),
            growth: Vec::new(),
            sqlite: Vec::new(),
        }
    }

    pub(super) fn work(&self, name: &str) -> Option<&Summary> {
        self.insula.iter().find(|work| work.name == name)
    }

    fn floor_of(&self, work: &Summary) -> Option<&Summary> {
        self.floor.iter().find(|floor| Some(floor.name) == work.floor)
    }

    /// The rate of a work as a part of that of its floor.
    pub(super) fn of_floor(&self, work: &Summary) -> Option<f64> {
        let floor = self.floor_of(work)?.result.load.rate;
        (floor > 0.0).then(|| work.result.load.rate / floor)
    }

    /// All tables as Markdown.
    fn markdown(&self) -> String {
        let Scale { organizations, entries, seconds, rounds, .. } = self.scale;
        let mut text = format!(
            "Machine: {}; {} at the beginning, {} at the end. Data: {entries} time entries in {organizations} \
             organizations. Rounds of {seconds} s: {rounds}.\n\n### PostgreSQL with Redis\n\n",
            machine(),
            self.load,
            load()
        );
        text += &self.insula_table();
        text += "\n### The floor\n\n";
        text += &floor_table(&self.floor);
        text += "\n### Goals\n\n";
        text += &self.target_table();
        if !self.sqlite.is_empty() {
            text += "\n### SQLite\n\nA tenth of the organizations and of the time entries.\n\n";
            text += &floor_table(&self.sqlite);
        }
        text += "\n![Latency of a list by the number of connections](performance/latency-over-load.svg)\n\n\
                 ![CPU time of a list by the number of rows](performance/cost-over-rows.svg)\n";
        text
    }

    fn insula_table(&self) -> String {
        let head = [
            "request",
            "per second",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "server µs",
            "database µs",
            "statements",
            "round trips",
            "of the floor",
            "errors",
        ];
        let row = |(number, work): (usize, &Summary)| {
            let mut row = cells(work);
            let errors = row.pop().unwrap_or_default();
            let counts = self.counts.get(number);
            row.extend(
                [0, 1].map(|index: usize| counts.map_or_else(String::new, |each| rounded(each[index]))),
            );
            row.push(self.of_floor(work).map_or_else(String::new, |ratio| format!("{ratio:.2}")));
            row.push(errors);
            row
        };
        console::markdown_table(&head, &self.insula.iter().enumerate().map(row).collect::<Vec<_>>())
    }

    fn target_table(&self) -> String {
        let rows = targets(self).into_iter().map(|target| {
            let holds = if target.holds() { "yes" } else { "**no**" };
            let sign = if target.is_least { "≥" } else { "≤" };
            let number = |number: f64| format!("{}{}", rounded(number), target.unit);
            let limit = format!("{sign} {}", number(target.limit));
            vec![target.name.clone(), number(target.measured), limit, holds.to_owned()]
        });
        console::markdown_table(&["goal", "measured", "limit", "met"], &rows.collect::<Vec<_>>())
    }

    pub(super) fn print(&self) {
        console::line(&self.insula_table());
        console::line(&floor_table(&self.floor));
        console::line(&self.target_table());
    }

    fn json(&self) -> Value {
        let summary = |work: &Summary| {
            let load = &work.result.load;
            json!({
                "name": work.name, "connections": work.connections, "operation": work.operation,
                "requests_per_second": load.rate, "latency_ms": load.latency, "errors": load.errors,
                "server_us": work.result.cpu[0], "database_us": work.result.cpu[1],
                "of_floor": self.of_floor(work),
            })
        };
        let of = |works: &[Summary]| works.iter().map(summary).collect::<Vec<_>>();
        let mut insula = of(&self.insula);
        for (work, counts) in insula.iter_mut().zip(&self.counts) {
            (work["statements"], work["round_trips"]) = (counts[0].into(), counts[1].into());
        }
        json!({
            "machine": machine(), "load": self.load, "insula": insula, "floor": of(&self.floor),
            "sqlite": of(&self.sqlite), "levels": plots::levels_json(&self.levels),
            "growth": plots::growth_json(&self.growth), "cold_start_ms": self.start.cold_start,
            "memory_idle": self.start.idle, "memory_loaded": self.start.loaded, "binary_bytes": self.binary,
        })
    }

    /// Writes `target/bench`, and, if `updates_docs`, the tables and plots in `docs`.
    pub(super) fn write(&self, updates_docs: bool) -> Result<(), String> {
        let target = binary("bench").ancestors().nth(2).unwrap_or(Path::new("target")).join("bench");
        let document = self.markdown();
        write(&target.join("report.md"), &document)?;
        write(&target.join("report.json"), &format!("{:#}\n", self.json()))?;
        let plots = [
            ("latency-over-load.svg", plots::latency_over_load(&self.levels)),
            ("cost-over-rows.svg", plots::cost_over_rows(&self.growth)),
        ];
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        for (name, plot) in &plots {
            write(&target.join(name), plot)?;
            if updates_docs {
                write(&docs.join("performance").join(name), plot)?;
            }
        }
        if updates_docs {
            update(&docs.join("performance.md"), &document)?;
        }
        console::line(&format!("the report is in {}", target.display()));
        Ok(())
    }
}

/// Prints the results of SQLite.
pub(super) fn print_sqlite(works: &[Summary]) {
    console::line(&floor_table(works));
}

fn floor_table(works: &[Summary]) -> String {
    let head =
        ["request", "per second", "p50 ms", "p99 ms", "p99.9 ms", "program µs", "database µs", "errors"];
    console::markdown_table(&head, &works.iter().map(cells).collect::<Vec<_>>())
}

fn cells(work: &Summary) -> Vec<String> {
    let (load, cpu) = (&work.result.load, &work.result.cpu);
    let mut cells = vec![work.name.to_owned(), format!("{:.0}", load.rate)];
    cells.extend(load.latency.iter().chain(cpu).map(|number| rounded(*number)));
    cells.push(format!("{:.0}", load.errors));
    cells
}

/// Three digits that matter.
fn rounded(number: f64) -> String {
    match number {
        number if number >= 99.95 || number == 0.0 => format!("{number:.0}"),
        number if number >= 9.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn write(file: &PathBuf, text: &str) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, text));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

/// Replaces what is between the markers.
fn update(file: &PathBuf, tables: &str) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let [begin, end] = MARKERS;
    let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{} has no markers", file.display()))?;
    write(file, &format!("{before}{begin}\n{tables}\n{end}{after}"))
}
