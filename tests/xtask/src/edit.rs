//! Edits of a file that exists. An edit names its place by the start of a line, without indentation:
//!
//! ```text
//! >>> at the end of: ids! {
//!     /// The next lines, up to the next edit, are inserted before the line that closes this block.
//! >>> after: mod tags;
//! >>> before: time(&owner, slug).await;
//! >>> sorted among: pub(crate) mod
//! (one line, which goes into the first row of lines with this start, in alphabetical order)
//! >>> replace: the old text ==> the new text
//! >>> add 4, 1 to the numbers after: assert_eq!(sets, [
//! >>> taken by: what a file that has this resource already contains
//! ```
//!
//! Blank lines are inserted like others.

use crate::Failure;

const START: &str = ">>> ";

/// One edit, with the number of its line in the template.
#[derive(Debug)]
pub(crate) struct Edit {
    kind: Kind,
    body: Vec<String>,
}

#[derive(Debug)]
enum Kind {
    EndOf(String),
    After(String),
    Before(String),
    Sorted(String),
    Replace(String, String),
    Add(Vec<u64>, String),
    TakenBy(String),
}

/// The edits that a filled template describes.
///
/// # Errors
/// When a line is not understood; `place` is the template, for the message.
pub(crate) fn parse(template: &str, place: &str) -> Result<Vec<Edit>, Failure> {
    let mut edits: Vec<Edit> = Vec::new();
    for (at, line) in template.lines().enumerate() {
        match (line.strip_prefix(START), edits.last_mut()) {
            (Some(directive), _) => {
                let kind = kind(directive)
                    .ok_or_else(|| Failure::new(format!("{place}:{}: `{line}` is no edit.", at + 1)))?;
                edits.push(Edit { kind, body: Vec::new() });
            }
            (None, Some(edit)) => edit.body.push(line.to_owned()),
            (None, None) => {
                return Err(Failure::new(format!("{place}: the first line must begin with `{START}`.")));
            }
        }
    }
    for edit in &edits {
        let takes_lines = !matches!(edit.kind, Kind::Replace(..) | Kind::Add(..) | Kind::TakenBy(_));
        if takes_lines == edit.body.is_empty() {
            let fault = if takes_lines { "has nothing to insert" } else { "takes no lines" };
            return Err(Failure::new(format!("{place}: the edit {:?} {fault}.", edit.kind)));
        }
    }
    Ok(edits)
}

fn kind(directive: &str) -> Option<Kind> {
    let (verb, anchor) = directive.split_once(": ")?;
    let anchor = anchor.to_owned();
    Some(match verb {
        "at the end of" => Kind::EndOf(anchor),
        "after" => Kind::After(anchor),
        "before" => Kind::Before(anchor),
        "sorted among" => Kind::Sorted(anchor),
        "taken by" => Kind::TakenBy(anchor),
        "replace" => {
            let (old, new) = anchor.split_once(" ==> ")?;
            Kind::Replace(old.to_owned(), new.to_owned())
        }
        _ => {
            let numbers = verb.strip_prefix("add ")?.strip_suffix(" to the numbers after")?;
            let numbers = numbers.split(", ").map(|number| number.parse().ok()).collect::<Option<_>>()?;
            Kind::Add(numbers, anchor)
        }
    })
}

/// The text after these edits, one after the other.
///
/// # Errors
/// A sentence that names `file` and the place that was not found in it, or found more than once.
pub(crate) fn apply(text: &str, edits: &[Edit], file: &str) -> Result<String, Failure> {
    let mut text = text.to_owned();
    for edit in edits {
        text = edit.apply(&text).map_err(|fault| Failure::new(format!("{file} {fault}")))?;
    }
    Ok(text)
}

impl Edit {
    fn apply(&self, text: &str) -> Result<String, String> {
        let lines: Vec<&str> = text.lines().collect();
        match &self.kind {
            Kind::EndOf(anchor) => {
                let open = line_of(&lines, anchor)?;
                let close = lines[open + 1..]
                    .iter()
                    .position(|line| !line.trim().is_empty() && indentation(line) <= indentation(lines[open]))
                    .map(|at| open + 1 + at)
                    .filter(|at| lines[*at].trim_start().starts_with(['}', ']', ')']))
                    .ok_or_else(|| format!("has no end of the block that `{anchor}` begins"))?;
                Ok(self.inserted(&lines, close))
            }
            Kind::After(anchor) => line_of(&lines, anchor).map(|at| self.inserted(&lines, at + 1)),
            Kind::Before(anchor) => line_of(&lines, anchor).map(|at| self.inserted(&lines, at)),
            Kind::Sorted(prefix) => {
                let is_one = |line: &&str| line.trim_start().starts_with(prefix.as_str());
                let first = lines.iter().position(is_one);
                let first = first.ok_or_else(|| format!("has no line that begins with `{prefix}`"))?;
                let run = lines[first..].iter().take_while(|line| is_one(line));
                let smaller = run.take_while(|line| line.trim() < self.body[0].trim()).count();
                Ok(self.inserted(&lines, first + smaller))
            }
            Kind::Replace(old, new) => match text.matches(old.as_str()).count() {
                0 => Err(format!("does not contain `{old}`")),
                1 => Ok(text.replacen(old.as_str(), new, 1)),
                more => Err(format!("contains `{old}` {more} times, not once")),
            },
            Kind::Add(numbers, anchor) => {
                let at = line_of(&lines, anchor)?;
                let added = add(lines[at], anchor, numbers)
                    .ok_or_else(|| format!("has fewer than {} numbers after `{anchor}`", numbers.len()))?;
                let mut lines: Vec<&str> = lines;
                lines[at] = &added;
                Ok(joined(&lines))
            }
            Kind::TakenBy(anchor) => match lines.iter().find(|line| line.contains(anchor.as_str())) {
                Some(line) => Err(format!("has the name already: `{}`", line.trim())),
                None => Ok(text.to_owned()),
            },
        }
    }

    fn inserted(&self, lines: &[&str], at: usize) -> String {
        let mut lines = lines.to_vec();
        lines.splice(at..at, self.body.iter().map(String::as_str));
        joined(&lines)
    }
}

fn joined(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The one line that begins with `anchor`, apart from indentation.
fn line_of(lines: &[&str], anchor: &str) -> Result<usize, String> {
    let mut found =
        lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with(anchor)).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err(format!("has no line that begins with `{anchor}`")),
        (Some(first), Some(second)) => Err(format!(
            "has more than one line that begins with `{anchor}` (lines {} and {})",
            first + 1,
            second + 1
        )),
    }
}

/// Adds to the numbers that follow `anchor` in a line, from left to right.
fn add(line: &str, anchor: &str, numbers: &[u64]) -> Option<String> {
    let start = line.find(anchor)? + anchor.len();
    let (mut out, mut rest) = (line[..start].to_owned(), &line[start..]);
    for number in numbers {
        let (before, digits) = rest.split_at(rest.find(|c: char| c.is_ascii_digit())?);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        out.push_str(before);
        out.push_str(&(digits[..end].parse::<u64>().ok()? + number).to_string());
        rest = &digits[end..];
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
mod a;
mod c;

list! {
    /// One.
    One,

    Two { x },
}
assert_eq!(sizes(), [34, 32]);
";

    fn edited(template: &str) -> Result<String, String> {
        let edits = parse(template, "x.edit").map_err(|failure| failure.to_string())?;
        apply(TEXT, &edits, "x.rs").map_err(|failure| failure.to_string())
    }

    #[test]
    fn lines_are_inserted_at_their_place() {
        let text = edited(
            "\
>>> sorted among: mod
mod b;
>>> at the end of: list! {
    Three,
>>> after: One,

    // Blank lines before a line stay.
    OneAndAHalf,
>>> before: assert_eq!(sizes()
let x = 1;
",
        );
        let expected = "\
mod a;
mod b;
mod c;

list! {
    /// One.
    One,

    // Blank lines before a line stay.
    OneAndAHalf,

    Two { x },
    Three,
}
let x = 1;
assert_eq!(sizes(), [34, 32]);
";
        assert_eq!(text.as_deref(), Ok(expected));
        assert!(
            edited(">>> sorted among: mod\nmod d;\n")
                .is_ok_and(|text| text.starts_with("mod a;\nmod c;\nmod d;\n"))
        );
    }

    #[test]
    fn numbers_grow_and_texts_are_replaced() {
        let text = edited(
            ">>> add 4, 1 to the numbers after: assert_eq!(sizes(), [\n>>> replace: { x } ==> { x, y }\n\
             >>> taken by: Seven\n",
        );
        assert!(
            text.as_ref().is_ok_and(|text| text.contains("[38, 33]") && text.contains("Two { x, y },")),
            "{text:?}"
        );
    }

    #[test]
    fn what_is_not_there_once_is_named() {
        for (template, message) in [
            (">>> after: Four,\nx\n", "x.rs has no line that begins with `Four,`"),
            (">>> after: mod\nx\n", "x.rs has more than one line that begins with `mod` (lines 1 and 2)"),
            (">>> at the end of: mod a;\nx\n", "x.rs has no end of the block that `mod a;` begins"),
            (">>> sorted among: use\nx\n", "x.rs has no line that begins with `use`"),
            (">>> replace: Four ==> Five\n", "x.rs does not contain `Four`"),
            (">>> replace: mod ==> use\n", "x.rs contains `mod` 2 times, not once"),
            (
                ">>> add 1, 1, 1 to the numbers after: assert_eq!(\n",
                "x.rs has fewer than 3 numbers after `assert_eq!(`",
            ),
            (">>> taken by: Two {\n", "x.rs has the name already: `Two { x },`"),
            ("x\n", "x.edit: the first line must begin with `>>> `."),
            (">>> around: x\ny\n", "x.edit:1: `>>> around: x` is no edit."),
            (">>> after: mod a;\n", "has nothing to insert"),
            (">>> taken by: x\ny\n", "takes no lines"),
        ] {
            assert!(edited(template).is_err_and(|fault| fault.contains(message)), "{template}: {message}");
        }
    }
}
