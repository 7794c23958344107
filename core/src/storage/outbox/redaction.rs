//! A job as superusers see it. It reveals nothing but ids.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::OutboxJob;

/// Replaces texts that are not shown.
pub const REDACTED: &str = "[redacted]";

impl OutboxJob {
    /// The payload, of which only ids, numbers and booleans are shown; `None` if it is not an object.
    pub fn redacted_payload(&self) -> Option<Map<String, Value>> {
        match serde_json::from_str(&self.payload).map(redact) {
            Ok(Value::Object(payload)) => Some(payload),
            _ => None,
        }
    }

    /// Who caused the job: the kind of actor, and the id of the user if there is one.
    pub fn parsed_actor(&self) -> (String, Option<Uuid>) {
        let actor: Value = serde_json::from_str(&self.actor).unwrap_or_default();
        let kind = actor["kind"].as_str().unwrap_or("unknown").to_owned();
        (kind, actor["id"].as_str().and_then(|id| id.parse().ok()))
    }
}

fn redact(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(key, member)| (key, redact(member))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(redact).collect(),
        Value::String(text) if Uuid::try_parse(&text).is_err() => REDACTED.into(),
        shown => shown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_shown_and_texts_are_redacted() {
        let id = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
        let payload = json!({
            "user": id, "attempt": 3, "is_first": true, "none": null, "to": "ada@example.com", "short": "",
            "inner": { "link": "https://insula.example/#token=x", "ids": [id, "secret"] },
        });
        let shown = json!({
            "user": id, "attempt": 3, "is_first": true, "none": null, "to": REDACTED, "short": REDACTED,
            "inner": { "link": REDACTED, "ids": [id, REDACTED] },
        });
        assert_eq!(redact(payload), shown);
    }
}
