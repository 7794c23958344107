//! The headers of all responses, described once.

use serde_json::{Value, json};

/// Name in the document, name of the header, description, example.
const RESPONSE_HEADERS: [(&str, &str, &str, &str); 4] = [
    (
        "RateLimit",
        "RateLimit",
        "For each limit that this request counted against: the number of requests left (`r`) and the seconds until \
         more are allowed (`t`).",
        "\"address\";r=2999;t=1, \"read\";r=599;t=1",
    ),
    (
        "RateLimitPolicy",
        "RateLimit-Policy",
        "For each of these limits: the number of requests (`q`) allowed within a number of seconds (`w`). `x-limit` \
         of an operation names its narrowest limit.",
        "\"address\";q=3000;w=60, \"read\";q=600;w=60",
    ),
    (
        "RequestId",
        "X-Request-Id",
        "Id of this request in the logs: the one that you sent, or a new one.",
        "4f0c2b1d9a7e4c3f8b6a5d4e3c2b1a09",
    ),
    (
        "Version",
        "X-Insula-Version",
        "Version of the program that answered. It changes when the installation is upgraded.",
        "0.1.0",
    ),
];

/// Adds the headers to every response. Requests that are refused before they are counted have no rate limit headers.
pub(super) fn add(doc: &mut Value) {
    for (name, _, about, example) in RESPONSE_HEADERS {
        let schema = json!({"type": "string", "examples": [example]});
        doc["components"]["headers"][name] = json!({"description": about, "schema": schema});
    }
    let kinds = doc["components"]["responses"].as_object_mut().into_iter().flatten();
    kinds.for_each(|(_, response)| add_to(response));
    for (.., operation) in super::operations(doc) {
        let responses = operation["responses"].as_object_mut().into_iter().flatten();
        responses
            .filter(|(_, response)| response.get("$ref").is_none())
            .for_each(|(_, response)| add_to(response));
    }
}

fn add_to(response: &mut Value) {
    for (name, header, ..) in RESPONSE_HEADERS {
        response["headers"][header] = json!({"$ref": format!("#/components/headers/{name}")});
    }
}
