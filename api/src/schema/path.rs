//! Paths in a body.

use std::{borrow::Cow, fmt::Write};

/// One step of a path in a body: a key or an index.
#[derive(Clone, Debug)]
pub(crate) enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

/// The path in the notation of the API: `members[0].role`.
pub(crate) fn path<'a>(steps: impl Iterator<Item = &'a Step<'a>>) -> String {
    /// A key can be as long as the body, so it is shortened in errors.
    const LONGEST: usize = 100;
    let mut path = String::new();
    for step in steps {
        // Writing to a String cannot fail.
        match step {
            Step::Key(key) => {
                let dot = if path.is_empty() { "" } else { "." };
                path.push_str(dot);
                path.extend(key.chars().take(LONGEST));
            }
            Step::Index(at) => write!(path, "[{at}]").unwrap_or_default(),
        }
    }
    path
}
