//! Strict JSON parser: UTF-8, no repeated keys, no NUL, no lone surrogates, limited depth.
//!
//! JSON parsers disagree on all of these (RFC 8259 §4, §8.2, §9). The value that one parser checks must be
//! the value that another one uses.

use std::{cell::RefCell, fmt};

use insula_core::base::error::FieldError;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::path::{Step, path};

/// Maximum nesting depth of arrays and objects.
const MAX_DEPTH: u8 = 32;

/// Parses `bytes`, or returns the error and its path.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, FieldError> {
    let text = std::str::from_utf8(bytes).map_err(|err| FieldError {
        field: String::new(),
        code: "INVALID_UTF8",
        message: format!("Is not valid UTF-8 (byte {}).", err.valid_up_to()),
    })?;
    let failure = RefCell::new(ParseFailure { code: "INVALID_JSON", place: vec![] });
    let mut de = serde_json::Deserializer::from_str(text);
    // serde_json itself refuses lone surrogates and raw control characters.
    let value = Strict { depth: 0, failure: &failure }
        .deserialize(&mut de)
        .and_then(|value| de.end().map(|()| value));
    value.map_err(|err| {
        let ParseFailure { code, place } = failure.into_inner();
        FieldError { field: path(place.iter().rev()), code, message: sentence(&err.to_string()) }
    })
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).chain(['.']).collect()
}

/// An error. Its path grows from the inside out while the error is returned upwards.
struct ParseFailure {
    code: &'static str,
    place: Vec<Step<'static>>,
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: u8,
    failure: &'a RefCell<ParseFailure>,
}

impl Strict<'_> {
    fn fail<E: de::Error>(self, code: &'static str, message: impl fmt::Display) -> E {
        self.failure.borrow_mut().code = code;
        E::custom(message)
    }

    fn at<E>(self, step: Step<'static>) -> impl FnOnce(E) -> E {
        move |err| {
            self.failure.borrow_mut().place.push(step);
            err
        }
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.depth {
            MAX_DEPTH => Err(self.fail("TOO_DEEP", format_args!("nested deeper than {MAX_DEPTH} levels"))),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }

    fn without_nul<E: de::Error>(self, text: String) -> Result<String, E> {
        match text.contains('\0') {
            true => Err(self.fail("NUL_CHARACTER", "the character U+0000 is not accepted")),
            false => Ok(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        /// Up to this number, every integer has exactly one `f64` (2^53).
        const EXACT: f64 = 9_007_199_254_740_992.0;
        // `1.0` is an integer too (JSON Schema 2020-12 §4.2.3).
        match v.fract() == 0.0 && v.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number within i64")]
            true => Ok((v as i64).into()),
            false => Ok(v.into()),
        }
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        self.visit_string(v.to_owned())
    }

    fn visit_string<E: de::Error>(self, v: String) -> Result<Value, E> {
        self.without_nul(v).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner).map_err(self.at(Step::Index(items.len())))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = self.without_nul(key)?;
            if object.contains_key(&key) {
                let err = self.fail("DUPLICATE_KEY", "this key is repeated");
                return Err(self.at(Step::Key(key.into()))(err));
            }
            let value = match map.next_value_seed(inner) {
                Ok(value) => value,
                Err(err) => return Err(self.at(Step::Key(key.into()))(err)),
            };
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;

    /// Values of every kind, without NUL, three levels deep, with numbers as this parser represents them.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[^\0]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                collection::btree_map("[^\0]{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_parsed_unchanged(value in values()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value.clone());
            prop_assert_eq!(parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap(), value);
        }

        #[test]
        fn accepted_input_is_parsed_like_serde_json_does(
            text in prop_oneof![any::<Vec<u8>>(), "[\\[\\]{}\",:0-9eE+.\\\\u -]{0,24}".prop_map(String::into_bytes)],
        ) {
            let others = serde_json::from_slice::<Value>(&text);
            match parse(&text) {
                Ok(value) => prop_assert_eq!(parse(value.to_string().as_bytes()).ok(), Some(value)),
                Err(failure) => {
                    let is_stricter = ["DUPLICATE_KEY", "NUL_CHARACTER", "TOO_DEEP"].contains(&failure.code);
                    prop_assert!(others.is_err() || is_stricter, "{:?}", failure);
                }
            }
        }
    }

    fn deep(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn ambiguous_input_is_refused_with_a_path() {
        for (body, code, field) in [
            (&b"{\"name\":\"\xff\"}"[..], "INVALID_UTF8", ""),
            (br#"{"name":"a","name":"b"}"#, "DUPLICATE_KEY", "name"),
            (
                br#"{"members":[{"role":"a"},{"role":"a","r\u006fle":"b"}]}"#,
                "DUPLICATE_KEY",
                "members[1].role",
            ),
            (br#"{"name":"a\u0000"}"#, "NUL_CHARACTER", "name"),
            (br#"{"in":{"a\u0000":1}}"#, "NUL_CHARACTER", "in"),
            (br#"{"name":"\ud800"}"#, "INVALID_JSON", "name"),
            (br#"{"name":"\udc00x"}"#, "INVALID_JSON", "name"),
            (br#"{"name":01}"#, "INVALID_JSON", "name"),
            (br#"{"name" 1}"#, "INVALID_JSON", "name"),
            (br#"{name:1}"#, "INVALID_JSON", ""),
            (b"", "INVALID_JSON", ""),
            (b"{} x", "INVALID_JSON", ""),
            (b"\xef\xbb\xbf{}", "INVALID_JSON", ""),
            (b"{\"budget\":1e999}", "INVALID_JSON", "budget"),
            (b"{\"budget\":NaN}", "INVALID_JSON", "budget"),
        ] {
            let err = parse(body).unwrap_err();
            assert_eq!((err.code, &*err.field), (code, field), "{}", String::from_utf8_lossy(body));
            assert!(
                err.message.ends_with('.') && err.message.starts_with(char::is_uppercase),
                "{}",
                err.message
            );
        }
    }

    #[test]
    fn depth_is_limited() {
        assert!(parse(deep(32).as_bytes()).is_ok());
        for levels in [33, 100_000] {
            assert_eq!(parse(deep(levels).as_bytes()).unwrap_err().code, "TOO_DEEP");
        }
    }

    #[test]
    fn whole_numbers_are_integers_in_any_notation() {
        assert_eq!(parse(b"[1.0, 1e2, -0.0, 1.5]").unwrap().to_string(), "[1,100,0,1.5]");
        assert_eq!(
            parse(b"[18446744073709551615, 1e300]").unwrap().to_string(),
            "[18446744073709551615,1e+300]"
        );
    }
}
