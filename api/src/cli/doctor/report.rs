//! The results of the checks, as a table for people or as JSON for programs.

use std::io::{IsTerminal, stdout};

use serde_json::{Value, json};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckStatus {
    /// All is well.
    Ok,
    /// It works, and something should be changed.
    Warning,
    /// Something does not work.
    Failed,
    /// The check is impossible, or not needed with these settings.
    Skipped,
}

impl CheckStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The colour on a terminal (ECMA-48).
    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warning => "33",
            Self::Failed => "31",
            Self::Skipped => "2",
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub(super) struct CheckResult {
    pub(super) name: &'static str,
    pub(super) status: CheckStatus,
    /// What was found, in one line.
    detail: String,
    /// What to do, as a sentence; empty if there is nothing to do.
    fix: String,
}

impl CheckResult {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Ok, detail, "")
    }

    pub(super) fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Skipped, detail, "")
    }

    pub(super) fn warning(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Warning, detail, fix)
    }

    pub(super) fn failed(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Failed, detail, fix)
    }

    fn new(
        name: &'static str,
        status: CheckStatus,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        // Some errors have several lines, and a table has one per check.
        let detail = detail.into().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Self { name, status, detail, fix: fix.into() }
    }
}

/// All checks as JSON.
pub(super) fn json(checks: &[CheckResult]) -> Value {
    let check = |check: &CheckResult| {
        json!({
            "name": check.name,
            "status": check.status.as_str(),
            "detail": check.detail,
            "fix": (!check.fix.is_empty()).then_some(&check.fix),
        })
    };
    let is_ok = checks.iter().all(|check| check.status != CheckStatus::Failed);
    json!({ "ok": is_ok, "checks": checks.iter().map(check).collect::<Vec<_>>() })
}

/// All checks as a table. It has colours only on a terminal, and not with `NO_COLOR`.
pub(super) fn table(checks: &[CheckResult], no_color: bool) -> String {
    let has_colours = !no_color && stdout().is_terminal();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    let row = |check: &CheckResult| {
        let status = format!("{:8}", check.status.as_str());
        let status = match has_colours {
            true => format!("\x1b[{}m{status}\x1b[0m", check.status.colour()),
            false => status,
        };
        let mut row = format!("{status}{:width$}  {}", check.name, check.detail);
        if !check.fix.is_empty() {
            row += &format!("\n{:8}{:width$}  -> {}", "", "", check.fix);
        }
        row
    };
    checks.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_one_row_per_check_and_its_fix_below() {
        let checks = [
            CheckResult::ok("database", "PostgreSQL 15"),
            CheckResult::failed("redis", "cannot connect\n(refused)", "Start Redis."),
        ];
        assert_eq!(
            table(&checks, true),
            "ok      database  PostgreSQL 15\nfailed  redis     cannot connect; (refused)\n                  -> Start Redis."
        );
        assert_eq!(json(&checks)["ok"], false);
        assert_eq!(json(&checks[..1])["checks"][0]["fix"], Value::Null);
    }
}
