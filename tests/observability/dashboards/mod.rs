//! The Grafana dashboards of `deploy/observability/dashboards/`, as tables. `observability write` writes the files.
//!
//! In a query, `{@}` selects the processes that the viewer chose, and `{@,…}` does so with more conditions.

mod background;
mod database;
mod requests;
mod runtime;
mod tenancy;

use serde_json::{Value, json};

/// One dashboard.
pub(crate) struct Dashboard {
    /// The name of the file without `.json`.
    pub(crate) name: &'static str,
    title: &'static str,
    pub(crate) panels: &'static [Panel],
}

/// One graph: its title, the unit as Grafana calls it, and the queries with their legends.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, unit, queries }
}

/// What `@` stands for.
const SELECTION: &str = r#"job=~"$job",instance=~"$instance""#;

/// Every dashboard.
pub(crate) const DASHBOARDS: &[Dashboard] = &[
    requests::SLO,
    requests::API,
    background::WORKERS,
    database::DATABASE,
    tenancy::TENANCY,
    background::AUDIT,
    runtime::RUNTIME,
];

impl Panel {
    /// The queries, with Grafana's variables.
    pub(crate) fn queries(&self) -> impl Iterator<Item = String> {
        self.queries.iter().map(|(_, query)| query.replace("{@", &format!("{{{SELECTION}")))
    }

    fn json(&self, number: usize) -> Value {
        let legends = self.queries.iter().map(|(legend, _)| legend);
        let targets: Vec<_> = (self.queries().zip(legends).zip('A'..))
            .map(|((query, legend), name)| {
                json!({ "refId": name, "datasource": data_source(), "expr": query, "legendFormat": legend })
            })
            .collect();
        json!({
            "id": number + 1,
            "type": "timeseries",
            "title": self.title,
            "datasource": data_source(),
            "gridPos": { "h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number / 2) },
            "fieldConfig": { "defaults": { "unit": self.unit, "custom": { "axisSoftMin": 0 } }, "overrides": [] },
            "options": { "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"] }, "tooltip": { "mode": "multi" } },
            "targets": targets,
        })
    }
}

impl Dashboard {
    /// The content of the file.
    pub(crate) fn file(&self) -> String {
        let panels: Vec<_> =
            self.panels.iter().enumerate().map(|(number, panel)| panel.json(number)).collect();
        let dashboard = json!({
            "uid": format!("insula-{}", self.name),
            "title": self.title,
            "tags": ["insula"],
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "refresh": "30s",
            "time": { "from": "now-3h", "to": "now" },
            "templating": { "list": [
                { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus" },
                variable("job", "Job", r#"label_values(target_info{service_name="insula"}, job)"#),
                variable("instance", "Instance", r#"label_values(target_info{service_name="insula",job=~"$job"}, instance)"#),
            ] },
            "annotations": { "list": [] },
            "panels": panels,
        });
        format!("{dashboard:#}\n")
    }
}

fn data_source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A variable that offers the values of a label, all of them at first.
fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": data_source(),
        "query": { "query": query, "refId": name },
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": { "text": "All", "value": "$__all" },
    })
}
