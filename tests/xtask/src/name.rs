//! The name of a resource, in the forms that the code needs.

use crate::Failure;

/// Longest plural, in characters: `<plural>_organization_id_created_at_id_idx` must fit in the 63 bytes of PostgreSQL.
const MAX: usize = 28;

/// Words that cannot name a module, a field, a variable or a table.
const RESERVED: &str = "\
    as async await become box break const continue crate do dyn else enum extern false final fn for gen \
    if impl in let loop macro match mod move mut override priv pub ref references return self static \
    struct super test tests trait true try type typeof union unsafe unsized use values virtual where \
    while yield";

/// Names that the generated code uses for something else.
const USED: &str = "\
    action after before body changes column condition cursor entity error expected header id key limit \
    model name now object org page path problem query relation request result row sort state value";

/// The name of a resource: `line_items`, of which one is a `line_item`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceName {
    plural: String,
    singular: String,
}

impl ResourceName {
    /// Checks the plural, and finds the singular if it is not given.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name.
    pub(crate) fn parse(plural: &str, singular: Option<&str>) -> Result<Self, Failure> {
        check("The name", plural)?;
        let singular = match singular {
            Some(singular) => {
                check("The singular", singular)?;
                singular.to_owned()
            }
            None => singular_of(plural).ok_or_else(|| {
                Failure::usage(format!(
                    "`{plural}` does not look like a plural. Use the plural, such as `invoices`, or add \
                     `--singular <NAME>`."
                ))
            })?,
        };
        if singular == plural {
            return Err(Failure::usage(format!(
                "The plural and the singular are both `{plural}`. They must differ."
            )));
        }
        for word in [plural, singular.as_str()] {
            if [RESERVED, USED].iter().any(|list| list.split(' ').any(|other| other == word)) {
                return Err(Failure::usage(format!(
                    "`{word}` has another meaning in the code. Choose another name."
                )));
            }
        }
        Ok(Self { plural: plural.to_owned(), singular })
    }

    /// In `snake_case`: the name of the table and of the modules.
    pub(crate) fn plural(&self) -> &str {
        &self.plural
    }

    /// In `snake_case`: the name of one of them in paths and audit actions.
    pub(crate) fn singular(&self) -> &str {
        &self.singular
    }

    /// `a` or `an`, as the singular needs it.
    pub(crate) fn article(&self) -> &'static str {
        article(&self.singular)
    }

    /// The placeholders of templates, with what they stand for.
    pub(crate) fn placeholders(&self) -> Vec<(&'static str, String)> {
        let (one, many) = (words(&self.singular), words(&self.plural));
        let a = format!("{} {one}", article(&one));
        vec![
            ("{{resource}}", self.singular.clone()),
            ("{{resources}}", self.plural.clone()),
            ("{{Resource}}", camel_case(&self.singular)),
            ("{{Resources}}", camel_case(&self.plural)),
            ("{{RESOURCE}}", self.singular.to_uppercase()),
            ("{{resources-path}}", self.plural.replace('_', "-")),
            ("{{one}}", one.clone()),
            ("{{One}}", capitalized(&one)),
            ("{{many}}", many.clone()),
            ("{{Many}}", capitalized(&many)),
            ("{{a one}}", a.clone()),
            ("{{A one}}", capitalized(&a)),
        ]
    }
}

fn check(what: &str, name: &str) -> Result<(), Failure> {
    let refuse = |why: &str| {
        Err(Failure::usage(format!(
            "{what} `{name}` {why}. Use the plural in snake_case, such as `invoices` or `line_items`."
        )))
    };
    if name.chars().any(|c| !c.is_ascii_lowercase() && c != '_') {
        return refuse("has characters other than lower-case letters and underscores");
    }
    if name.split('_').any(str::is_empty) {
        return refuse("is empty or has an underscore at its start, at its end or beside another one");
    }
    if name.len() > MAX {
        return refuse(&format!("is longer than {MAX} characters"));
    }
    if name.len() < 3 {
        return refuse("is shorter than 3 characters");
    }
    Ok(())
}

/// `invoices` to `invoice`, `categories` to `category`, `boxes` to `box`; `None` of what does not end like a plural.
fn singular_of(plural: &str) -> Option<String> {
    if let Some(stem) = plural.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return Some(format!("{stem}y"));
    }
    if ["ches", "shes", "sses", "xes"].iter().any(|end| plural.ends_with(end)) {
        return plural.strip_suffix("es").map(str::to_owned);
    }
    plural.strip_suffix('s').filter(|stem| !stem.ends_with(['s', 'u', 'i', '_'])).map(str::to_owned)
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

fn camel_case(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

/// The indefinite article, by the sound that a word begins with as far as its letters tell.
fn article(word: &str) -> &'static str {
    let has_consonant = ["uni", "use", "usa", "eu", "one"].iter().any(|start| word.starts_with(start));
    let has_vowel = ["hour", "honor", "honest"].iter().any(|start| word.starts_with(start));
    if has_vowel || (word.starts_with(['a', 'e', 'i', 'o', 'u']) && !has_consonant) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(plural: &str, placeholder: &str) -> String {
        let name = ResourceName::parse(plural, None).unwrap_or_else(|failure| panic!("{failure}"));
        name.placeholders()
            .into_iter()
            .find(|(known, _)| *known == placeholder)
            .map(|(_, form)| form)
            .unwrap_or_default()
    }

    #[test]
    fn the_singular_follows_the_common_rules() {
        for (plural, singular) in [
            ("invoices", "invoice"),
            ("line_items", "line_item"),
            ("categories", "category"),
            ("flies", "fly"),
            ("taxes", "tax"),
            ("branches", "branch"),
            ("addresses", "address"),
            ("houses", "house"),
        ] {
            assert_eq!(form(plural, "{{resource}}"), singular);
        }
        let statuses = ResourceName::parse("statuses", Some("status"));
        assert!(statuses.is_ok_and(|name| name.singular() == "status"));
    }

    #[test]
    fn names_have_all_their_forms() {
        for (placeholder, expected) in [
            ("{{Resource}}", "LineItem"),
            ("{{Resources}}", "LineItems"),
            ("{{RESOURCE}}", "LINE_ITEM"),
            ("{{resources-path}}", "line-items"),
            ("{{Many}}", "Line items"),
            ("{{A one}}", "A line item"),
        ] {
            assert_eq!(form("line_items", placeholder), expected);
        }
        assert_eq!(form("invoices", "{{a one}}"), "an invoice");
        assert_eq!(form("units", "{{a one}}"), "a unit");
        assert_eq!(form("hours", "{{a one}}"), "an hour");
    }

    #[test]
    fn a_bad_name_is_refused_with_a_reason() {
        for (name, reason) in [
            ("", "is empty"),
            ("Invoices", "other than lower-case letters"),
            ("invoices2", "other than lower-case letters"),
            ("line-items", "other than lower-case letters"),
            ("_invoices", "underscore"),
            ("line__items", "underscore"),
            ("as", "shorter"),
            ("extraordinarily_long_line_items", "longer than 28"),
            ("invoice", "does not look like a plural"),
            ("news_glass", "does not look like a plural"),
            ("statuss", "does not look like a plural"),
            ("boxes", "`box` has another meaning"),
            ("types", "`type` has another meaning"),
            ("pages", "`page` has another meaning"),
            ("names", "`name` has another meaning"),
            ("references", "`references` has another meaning"),
        ] {
            let message = ResourceName::parse(name, None).err().map(|failure| failure.to_string());
            assert!(message.as_ref().is_some_and(|message| message.contains(reason)), "{name}: {message:?}");
        }
        assert!(ResourceName::parse("sheep", Some("sheep")).is_err());
    }
}
