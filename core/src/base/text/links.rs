//! Names in e-mails to strangers, which must not contain links.

use std::sync::LazyLock;

use regex::Regex;

/// The text without anything that an e-mail program shows as a link. Schemes (`https://`, `mailto:`) are removed, and a
/// space is added after every dot and every `@` before a letter, including the characters that browsers treat as such
/// (UTS 46 §2.3). Names such as `J. R. R. Tolkien` or `Acme 2.0 Inc.` stay as they are.
pub fn without_links(text: &str) -> String {
    static SCHEME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i-u:[a-z0-9+.-]*):[/\\\u{FF0F}]+|(?i-u:\b(?:mailto|tel|sms):)").ok());
    let Some(scheme) = &*SCHEME else { return String::new() };
    // Removing a scheme can create another one.
    let mut plain = text.to_owned();
    while scheme.is_match(&plain) {
        plain = scheme.replace_all(&plain, "").into_owned();
    }
    let mut spaced = String::with_capacity(plain.len());
    let mut before = None;
    let mut rest = plain.chars().peekable();
    while let Some(c) = rest.next() {
        spaced.push(c);
        let is_separator = matches!(c, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}' | '@' | '\u{FF20}');
        let joins = before.is_some_and(|before: char| !before.is_whitespace())
            && rest.peek().is_some_and(|after| after.is_alphabetic());
        if is_separator && joins {
            spaced.push(' ');
        }
        before = Some(c);
    }
    spaced.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_kept_and_links_are_removed() {
        for (name, shown) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("J. R. R. Tolkien", "J. R. R. Tolkien"),
            ("Acme 2.0 Inc.", "Acme 2.0 Inc."),
            ("AT&T: Research/Development", "AT&T: Research/Development"),
            ("Ångström… & Söhne", "Ångström… & Söhne"),
            ("Your parcel waits: http://evil.example", "Your parcel waits: evil. example"),
            ("HTTPS://evil.example/a?b=c#d", "evil. example/a?b=c#d"),
            ("http://http://evil/", "evil/"),
            ("hthttp://tp://evil", "evil"),
            (r"http:\\\\evil.example", "evil. example"),
            ("www.evil.example", "www. evil. example"),
            ("evil。example", "evil。 example"),
            ("evil．example", "evil． example"),
            ("mailto:eve@evil.example", "eve@ evil. example"),
            ("eve＠evil.example", "eve＠ evil. example"),
            ("tel:+4912345", "+4912345"),
            ("ada.lovelace", "ada. lovelace"),
            ("http://", ""),
        ] {
            assert_eq!(without_links(name), shown, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_link_is_left(text in "[a-zA-Z:/.@ \\\\]{0,40}") {
            let shown = without_links(&text);
            let dots = shown.split('.').skip(1).all(|after| !after.starts_with(char::is_alphabetic))
                || shown.starts_with('.');
            prop_assert!(!shown.contains("://") && (dots || shown.contains(" .")), "{}", shown);
            prop_assert_eq!(without_links(&shown), shown);
        }
    }
}
