//! The parser of `.env` files.
//!
//! A line is `NAME=VALUE`, optionally after `export`. Empty lines and lines that begin with `#` are ignored. An
//! unquoted value ends at the end of its line, or where a space is followed by `#`; spaces around it are removed. In
//! `'…'` every character is literal. In `"…"`, `\n`, `\"` and `\\` are escapes. All other characters are literal
//! everywhere, including `$`: nothing is expanded.

use std::collections::BTreeMap;

/// The settings of a file. The error contains the number of the line but not its text, which may contain a secret.
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let at = |fault: &str| format!("line {number}: {fault}");
        let line = str::from_utf8(line).map_err(|_| at("not UTF-8"))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = entry(line).map_err(at)?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn entry(line: &str) -> Result<(&str, String), &'static str> {
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line);
    let (name, text) = line.split_once('=').ok_or("expected NAME=VALUE")?;
    let name = name.trim();
    let is_name = !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err("expected a name of letters, digits and _ before =");
    }
    Ok((name, value(text)?))
}

fn value(text: &str) -> Result<String, &'static str> {
    let is_spaced = text.starts_with([' ', '\t']);
    let text = text.trim();
    let (value, rest) = match text.chars().next() {
        Some('\'') => {
            text[1..].split_once('\'').map(|(value, rest)| (value.to_owned(), rest)).ok_or(UNCLOSED)?
        }
        Some('"') => quoted(&text[1..])?,
        Some('#') if is_spaced => return Ok(String::new()),
        _ => return Ok(plain(text).to_owned()),
    };
    match rest.trim_start() {
        "" => Ok(value),
        comment if comment.starts_with('#') && comment.len() < rest.len() => Ok(value),
        _ => Err("expected the end of the line, or a space and a comment, after the closing quote"),
    }
}

const UNCLOSED: &str = "expected a closing quote on the same line";

/// The unquoted value, without a comment.
fn plain(text: &str) -> &str {
    let comment = text.char_indices().find(|(at, c)| *c == '#' && text[..*at].ends_with([' ', '\t']));
    comment.map_or(text, |(at, _)| text[..at].trim_end())
}

/// The value in double quotes, and the text after them.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => return Err(UNCLOSED),
            },
            c => value.push(c),
        }
    }
    Err(UNCLOSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(line: &str) -> Result<String, String> {
        read(line.as_bytes()).map(|values| values["A"].clone())
    }

    #[test]
    fn values_are_parsed_as_documented() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("  export A = b \r", "b"),
            ("A=p$ss${HOME}`x`", "p$ss${HOME}`x`"),
            ("A=a#b", "a#b"),
            ("A=#b", "#b"),
            ("A=a b # of Ada", "a b"),
            ("A= # nothing", ""),
            ("A=Insula <hello@insula.example>", "Insula <hello@insula.example>"),
            (r"A='a $b # \n'", r"a $b # \n"),
            (r#"A="a $b # \"c\" \\ \d" # of Ada"#, r#"a $b # "c" \ \d"#),
            (r#"A="one\ntwo""#, "one\ntwo"),
            (r"A=C:\new", r"C:\new"),
            ("A=postgres://u:hunter2%40@h/d?a=b&c=d", "postgres://u:hunter2%40@h/d?a=b&c=d"),
            ("\u{feff}# comment\n\nA=b", "b"),
        ] {
            assert_eq!(parse_one(line).as_deref(), Ok(value), "{line}");
        }
    }

    #[test]
    fn the_error_names_the_line_and_does_not_contain_it() {
        for bad in [
            "hunter2",
            "A B=hunter2",
            "1A=hunter2",
            "=hunter2",
            "A='hunter2",
            "A=\"hunter2",
            "A=\"hunter2\\",
            "A='x'hunter2",
        ] {
            let fault = read(format!("B=c\n\n{bad}\n").as_bytes()).unwrap_err();
            assert!(fault.starts_with("line 3: ") && !fault.contains("hunter2"), "{bad}: {fault}");
        }
        assert_eq!(read(b"A=b\nB=\xff\n").unwrap_err(), "line 2: not UTF-8");
    }
}
