//! The operation and the table of a database statement, without its values.

/// Maximum length of a name, as in PostgreSQL.
const MAX_NAME: usize = 63;

/// The first word of `sql` in upper case, and the first table that it names.
pub(super) fn summary(sql: &str) -> (String, Option<&str>) {
    let sql = sql.trim_start();
    let operation = name_at(sql).to_ascii_uppercase();
    let before_table = match operation.as_str() {
        "SELECT" | "DELETE" => "FROM ",
        "INSERT" => "INTO ",
        "UPDATE" => "UPDATE ",
        _ => return (operation, None),
    };
    let rest = outside_parentheses(sql, before_table).map(|rest| rest.trim_start_matches('"'));
    let table = rest.map(name_at).filter(|table| !table.is_empty());
    (operation, table)
}

/// What follows the first `word` that is not inside of parentheses, such as those of a subquery.
fn outside_parentheses<'a>(sql: &'a str, word: &str) -> Option<&'a str> {
    let mut depth = 0_usize;
    let start = sql.char_indices().find(|(at, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && sql[*at..].starts_with(word)
    });
    start.map(|(at, _)| &sql[at + word.len()..])
}

/// The name with which `text` begins; empty if it begins with something else.
fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end.min(MAX_NAME)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_no_values() {
        for (sql, operation, table) in [
            (r#"SELECT "id", "from" FROM "tasks" WHERE "title" = $1"#, "SELECT", Some("tasks")),
            (r#"INSERT INTO "users" ("email") VALUES ('ada@example.com')"#, "INSERT", Some("users")),
            (r#"UPDATE "outbox" SET "state" = 'done'"#, "UPDATE", Some("outbox")),
            ("DELETE FROM sessions", "DELETE", Some("sessions")),
            ("SELECT 1", "SELECT", None),
            (r#"SELECT "id", (SELECT max("id") FROM "tags") FROM "tasks""#, "SELECT", Some("tasks")),
            (r#"SELECT * FROM (SELECT "id" FROM "tasks")"#, "SELECT", None),
            ("SET LOCAL insula.org = 'a'", "SET", None),
            ("begin", "BEGIN", None),
            ("", "", None),
        ] {
            assert_eq!(summary(sql), (operation.to_owned(), table), "{sql}");
        }
        assert_eq!(summary(&"x".repeat(1 << 20)).0.len(), MAX_NAME);
    }
}
