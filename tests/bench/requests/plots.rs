//! The plots of the report.

use serde_json::{Value, json};

use super::{
    rounds::RoundResult,
    svg::{Plot, PlotLine},
};
use crate::wrk::Load;

/// The same list at a number of connections.
pub(super) struct LoadPoint {
    pub(super) connections: u32,
    pub(super) insula: Load,
    pub(super) floor: Load,
}

/// The same list in an organization with a number of rows.
pub(super) struct GrowthPoint {
    pub(super) rows: u32,
    pub(super) result: RoundResult,
}

/// The latency of the list of projects.
pub(super) fn latency_over_load(levels: &[LoadPoint]) -> String {
    let line = |name, color, value: &dyn Fn(&LoadPoint) -> f64| {
        let points = levels.iter().map(|level| (f64::from(level.connections), value(level)));
        PlotLine { name, color, points: points.collect() }
    };
    Plot {
        title: "20 projects: latency by connections",
        x: "connections",
        y: "ms",
        lines: vec![
            line("Insula, 99 %", "#c2410c", &|level| level.insula.latency[1]),
            line("Insula, half", "#1d4ed8", &|level| level.insula.latency[0]),
            line("floor, 99 %", "#f59e0b", &|level| level.floor.latency[1]),
            line("floor, half", "#64748b", &|level| level.floor.latency[0]),
        ],
    }
    .svg()
}

/// The CPU time of the list of time entries.
pub(super) fn cost_over_rows(growth: &[GrowthPoint]) -> String {
    let line = |name, color, index: usize| {
        let points = growth.iter().map(|point| (f64::from(point.rows), point.result.cpu[index]));
        PlotLine { name, color, points: points.collect() }
    };
    Plot {
        title: "20 time entries: CPU time by rows of the organization",
        x: "time entries",
        y: "µs",
        lines: vec![line("server", "#1d4ed8", 0), line("database", "#c2410c", 1)],
    }
    .svg()
}

pub(super) fn levels_json(levels: &[LoadPoint]) -> Value {
    let of = |load: &Load| json!({ "requests_per_second": load.rate, "latency_ms": load.latency });
    let level = |level: &LoadPoint| json!({ "connections": level.connections, "insula": of(&level.insula), "floor": of(&level.floor) });
    levels.iter().map(level).collect()
}

pub(super) fn growth_json(growth: &[GrowthPoint]) -> Value {
    let point = |point: &GrowthPoint| {
        let RoundResult { load, cpu } = &point.result;
        json!({ "rows": point.rows, "requests_per_second": load.rate, "server_us": cpu[0], "database_us": cpu[1] })
    };
    growth.iter().map(point).collect()
}
