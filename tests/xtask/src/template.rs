//! Templates: text with placeholders.

use crate::Failure;

/// Replaces the placeholders of a template. `{{to 25}}` becomes spaces up to that column, at least one.
///
/// # Errors
/// When a placeholder is unknown; `place` is the template, for the message.
pub(crate) fn fill(template: &str, placeholders: &[(&str, String)], place: &str) -> Result<String, Failure> {
    let mut text = template.to_owned();
    for (placeholder, value) in placeholders {
        text = text.replace(placeholder, value);
    }
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = pad(line);
        if let Some(unknown) = placeholder_in(&line) {
            return Err(Failure::new(format!("{place}: the placeholder {unknown} is unknown.")));
        }
        lines.push(line);
    }
    Ok(lines.join("\n"))
}

fn pad(line: &str) -> String {
    const START: &str = "{{to ";
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(START) {
        let Some((column, after)) = after.split_once("}}") else { break };
        let Ok(column) = column.parse::<usize>() else { break };
        out.push_str(before);
        out.push_str(&" ".repeat(column.saturating_sub(out.chars().count()).max(1)));
        rest = after;
    }
    out + rest
}

/// The first thing that looks like a placeholder: letters, spaces, hyphens and digits in double braces.
fn placeholder_in(line: &str) -> Option<&str> {
    line.match_indices("{{").find_map(|(at, _)| {
        let inner = &line[at + 2..];
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != ' ' && c != '-')?;
        let is_placeholder = end > 0 && !inner.starts_with(' ') && inner[end..].starts_with("}}");
        is_placeholder.then(|| &line[at..at + end + 4])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let placeholders = [("{{one}}", "line item".to_owned()), ("{{Resource}}", "LineItem".to_owned())];
        fill(template, &placeholders, "a.tmpl").map_err(|failure| failure.to_string())
    }

    #[test]
    fn placeholders_are_replaced_and_columns_reached() {
        assert_eq!(filled("use x::{{{Resource}}Id, Y};"), Ok("use x::{LineItemId, Y};".to_owned()));
        assert_eq!(filled("a{{to 4}}= {{one}}\nb{{to 1}}c\n"), Ok("a   = line item\nb c\n".to_owned()));
        assert_eq!(filled("format!(\"{{{x:?}}} {{ }}\")"), Ok("format!(\"{{{x:?}}} {{ }}\")".to_owned()));
    }

    #[test]
    fn an_unknown_placeholder_is_an_error() {
        for template in ["{{two}}", "x {{Resource}} {{A one}}", "{{to x}}"] {
            assert!(filled(template).is_err_and(|message| message.contains("unknown")), "{template}");
        }
    }
}
