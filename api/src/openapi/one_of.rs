//! Bodies in which exactly one of two fields is required. The routes refuse none and both, and the schema says so.

use serde_json::{Value, json};

/// Schema, the field in its example, and the other one.
const EXCLUSIVE_FIELDS: [(&str, &str, &str); 3] = [
    ("LogIn", "email", "username"),
    ("AdminUserCreate", "password", "password_hash"),
    ("AdminOrganizationCreate", "owner_email", "owner_id"),
];

/// Adds the rule to the schemas in the document. A field that is `null` counts as absent.
pub(super) fn add(doc: &mut Value) {
    for (name, one, other) in EXCLUSIVE_FIELDS {
        if let Some(schema) = doc["components"]["schemas"].get_mut(name) {
            let requires =
                |member: &str| json!({"required": [member], "properties": {member: {"type": "string"}}});
            schema["oneOf"] = json!([requires(one), requires(other)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_contains_all_of_them() {
        let doc = crate::app::document().unwrap();
        for (name, one, other) in EXCLUSIVE_FIELDS {
            let schema = &doc["components"]["schemas"][name];
            for member in [one, other] {
                assert_eq!(
                    schema["properties"][member]["type"],
                    json!(["string", "null"]),
                    "{name}.{member}"
                );
            }
            let arms = json!({"oneOf": schema["oneOf"]});
            let fits = |body: Value| jsonschema::is_valid(&arms, &body);
            assert!(fits(json!({one: "x"})) && fits(json!({one: null, other: "x"})), "{name}");
            assert!(!fits(json!({})) && !fits(json!({one: "x", other: "x"})), "{name}");
        }
    }
}
