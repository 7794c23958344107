//! The text in which names are searched. Released migrations use it: never change what it returns.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Lower case without accents and other marks, and "ss" for "ß".
pub(crate) fn search_key(text: &str) -> String {
    let lower = text.nfkc().collect::<String>().to_lowercase();
    lower.nfkd().filter(|c| !is_combining_mark(*c)).nfkc().collect::<String>().replace('ß', "ss")
}
