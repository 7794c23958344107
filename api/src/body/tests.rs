use poem::http::Method;
use poem_openapi::types::MaybeUndefined;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    BASE,
    openapi::publish,
    schema::Schema,
    test_api::{Action, Demo, ID, NewProject, ProjectChange, ask, error_codes, post, request},
};

const PROJECTS: &str = "/api/v1/organizations/acme/projects";
const GOOD: &str = r#"{"name":"n","slug":"ab","budget":1,"members":[]}"#;

/// A valid project with these fields replaced.
fn project(changes: &Value) -> Value {
    let mut project: Value = serde_json::from_str(GOOD).unwrap();
    project.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    project
}

#[tokio::test]
async fn malformed_bodies_are_bad_requests_with_a_path() {
    let (status, problem) = post(PROJECTS, r#"{"members":[{"role":"a","role":"b"}]}"#).await;
    assert_eq!((status, &problem["error"]), (400, &json!("BAD_REQUEST")));
    assert_eq!(error_codes(&problem), ["members[0].role DUPLICATE_KEY"]);
    let (status, problem) = post(PROJECTS, "").await;
    assert_eq!((status, error_codes(&problem)), (400, vec![" INVALID_JSON".to_owned()]));
    let forgotten = request(Method::POST, PROJECTS).finish();
    assert_eq!(ask(forgotten).await.0, 400);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    for (content_type, encoding, status) in [
        ("application/json; charset=UTF-8", None, 200),
        ("application/json", Some("identity"), 200),
        ("text/plain", None, 415),
        ("application/merge-patch+json", None, 415),
        ("application/json", Some("gzip"), 415),
    ] {
        let mut request = request(Method::POST, PROJECTS).content_type(content_type);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        assert_eq!(ask(request.body(GOOD)).await.0, status, "{content_type} {encoding:?}");
    }
    assert_eq!(ask(request(Method::POST, PROJECTS).body(GOOD)).await.0, 415);
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let (status, problem) = post(
        PROJECTS,
        json!({
            "name": "", "slug": "No Way", "budget": 100, "status": "odd", "due": "tomorrow",
            "members": [{"user_id": "x", "role": 5}, {"user_id": ID}],
            "extra": 1, "lead": {"who": 1}, "tags": null, "labels": {"a": "b"},
        })
        .to_string(),
    )
    .await;
    assert_eq!((status, &problem["error"]), (422, &json!("VALIDATION_FAILED")));
    assert_eq!(
        error_codes(&problem),
        [
            "budget TOO_LARGE",
            "due INVALID_FORMAT",
            "labels.a WRONG_TYPE",
            "lead.role REQUIRED",
            "lead.user_id REQUIRED",
            "lead.who UNKNOWN_FIELD",
            "members[0].role WRONG_TYPE",
            "members[0].user_id INVALID_FORMAT",
            "members[1].role REQUIRED",
            "name TOO_SHORT",
            "slug INVALID_FORMAT",
            "status NOT_A_CHOICE",
            "tags NULL_NOT_ALLOWED",
            "extra UNKNOWN_FIELD",
        ]
    );
    let messages: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect();
    assert!(messages.iter().all(|m| m.ends_with('.') && m.starts_with(char::is_uppercase)), "{messages:?}");
}

#[test]
fn the_number_of_errors_is_limited() {
    let many: Value =
        (0..1000).map(|n| (format!("f{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(Schema::of::<NewProject>().check(&many).len(), 50);
    let long = json!({ "x".repeat(1000): 1 });
    let errors = Schema::of::<ProjectChange>().check(&long);
    assert_eq!(errors[0].field.len(), 100);
}

#[tokio::test]
async fn null_is_accepted_only_where_the_schema_allows_it() {
    for nullable in ["description", "starts", "lead"] {
        assert_eq!(post(PROJECTS, project(&json!({nullable: null})).to_string()).await.0, 200, "{nullable}");
    }
    for other in ["name", "status", "due", "members", "tags", "labels"] {
        let (status, problem) = post(PROJECTS, project(&json!({other: null})).to_string()).await;
        assert_eq!((status, error_codes(&problem)), (422, vec![format!("{other} NULL_NOT_ALLOWED")]));
    }
    assert_eq!(error_codes(&post(PROJECTS, "null").await.1), [" NULL_NOT_ALLOWED"]);
}

#[tokio::test]
async fn a_merge_patch_distinguishes_absent_from_null() {
    let path = format!("{PROJECTS}/{ID}");
    for (body, content_type, name) in [
        (r#"{}"#, "application/json", "Undefined"),
        (r#"{"color":null}"#, "application/merge-patch+json", "Null"),
        (r#"{"color":"red"}"#, "application/json", "Value(\"red\")"),
    ] {
        let (status, project) =
            ask(request(Method::PATCH, &path).content_type(content_type).body(body)).await;
        assert_eq!((status, &project["name"]), (200, &json!(name)));
    }
    let body = request(Method::PATCH, &path).content_type("application/json").body(r#"{"name":null}"#);
    assert_eq!(error_codes(&ask(body).await.1), ["name NULL_NOT_ALLOWED"]);
}

proptest! {
    /// Each member of a patch is absent, null or a value, whatever the others are.
    #[test]
    fn each_member_of_a_merge_patch_is_independent(
        name in proptest::option::of("[a-z]{1,9}"),
        color in proptest::option::of(proptest::option::of("[a-z]{1,9}")),
    ) {
        let mut patch = serde_json::Map::new();
        patch.extend(name.iter().map(|name| ("name".to_owned(), json!(name))));
        patch.extend(color.iter().map(|color| ("color".to_owned(), json!(color))));
        let change: ProjectChange = read(Value::Object(patch).to_string().as_bytes()).unwrap();
        prop_assert_eq!(change.name.map(|name| name.0), name);
        let read = match change.color {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(color) => Some(Some(color.0)),
        };
        prop_assert_eq!(read, color);
    }

    #[test]
    fn no_input_crashes_the_parser(bytes in prop_oneof![any::<Vec<u8>>(), "\\{(\"(name|color)\":(1|null|\"\\PC{0,4}\"),?){0,3}\\}".prop_map(String::into_bytes)]) {
        if let Err(error) = read::<ProjectChange>(&bytes) {
            prop_assert!([ErrorCode::BadRequest, ErrorCode::ValidationFailed].contains(&error.code()));
        }
    }
}

#[tokio::test]
async fn the_digest_is_computed_from_the_bytes_and_only_with_a_key() {
    let keyed =
        request(Method::POST, PROJECTS).content_type("application/json").header("Idempotency-Key", "k");
    let first = format!("n {:02x}", Sha256::digest(GOOD)[0]);
    assert_eq!(ask(keyed.body(GOOD)).await.1["name"], json!(first));
    assert_eq!(post(PROJECTS, GOOD).await.1["name"], json!("n"));
}

#[tokio::test]
async fn a_tagged_union_is_checked_against_its_variant() {
    let path = "/api/v1/actions";
    for (body, expected) in [
        (json!({"kind": "rename", "name": "x"}), vec![]),
        (json!({"kind": "archive", "reason": "x"}), vec![]),
        (json!({"kind": "rename", "name": "x", "reason": "y"}), vec!["reason UNKNOWN_FIELD"]),
        (
            json!({"kind": "rename", "name": "", "priority": 256}),
            vec!["name TOO_SHORT", "priority TOO_LARGE"],
        ),
        (json!({"kind": "odd"}), vec!["kind NOT_A_CHOICE"]),
        (json!({"kind": 1}), vec!["kind NOT_A_CHOICE"]),
        (json!({"name": "x"}), vec!["kind REQUIRED"]),
        (json!([]), vec![" WRONG_TYPE"]),
    ] {
        let (status, problem) = post(path, body.to_string()).await;
        assert_eq!(status, if expected.is_empty() { 200 } else { 422 }, "{body}");
        assert_eq!(error_codes(&problem), expected, "{body}");
    }
}

/// The published schema must accept exactly what the check accepts.
#[test]
fn the_published_schema_and_the_check_agree() {
    let doc = publish::<Demo>(BASE).unwrap();
    let published = |name: &str| {
        let mut schema = doc["components"]["schemas"][name].clone();
        schema["components"] = doc["components"].clone();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    };
    let agree = |validator: &jsonschema::Validator, schema: &Schema, value: &Value, valid: bool| {
        assert_eq!(validator.is_valid(value), valid, "published: {value}");
        let errors = schema.check(value);
        assert_eq!(errors.is_empty(), valid, "checked: {value} {errors:?}");
    };
    let (validator, schema) = (published("NewProject"), Schema::of::<NewProject>());
    for good in [
        json!({}),
        json!({"description": null, "starts": null, "lead": null}),
        json!({"budget": 1.0, "due": "2026-01-31T09:30:00+01:00", "starts": "2026-01-31"}),
        json!({"status": "archived", "tags": ["a", "b"], "labels": {"a": -1, "b": i64::MAX}}),
        json!({"name": "ä".repeat(80), "members": [{"user_id": ID, "role": "x"}]}),
    ] {
        agree(
            &validator,
            &schema,
            &crate::schema::parse(project(&good).to_string().as_bytes()).unwrap(),
            true,
        );
    }
    for bad in [
        json!({"extra": 1}),
        json!({"name": 1}),
        json!({"name": "ä".repeat(81)}),
        json!({"slug": "a--b"}),
        json!({"slug": null}),
        json!({"status": null}),
        json!({"status": "odd"}),
        json!({"status": 1}),
        json!({"budget": "1"}),
        json!({"budget": 1.5}),
        json!({"budget": -1}),
        json!({"budget": 100}),
        json!({"due": null}),
        json!({"due": "2026-01-31"}),
        json!({"due": "2026-01-31 09:30:00Z"}),
        json!({"starts": "2026-1-31"}),
        json!({"starts": "2026-02-30"}),
        json!({"members": {}}),
        json!({"members": [null]}),
        json!({"members": [{"user_id": ID.replace('-', ""), "role": "x"}]}),
        json!({"members": [{"user_id": ID, "role": "x", "more": 1}]}),
        json!({"tags": null}),
        json!({"tags": ["a", "a"]}),
        json!({"tags": ["a", "b", "c", "d", "e", "f"]}),
        json!({"labels": {"a": null}}),
        json!({"labels": {"a": 1e19}}),
        json!({"lead": {}}),
        json!({"lead": []}),
    ] {
        agree(&validator, &schema, &project(&bad), false);
    }
    let (validator, schema) = (published("Action"), Schema::of::<Action>());
    for (value, valid) in [
        (json!({"kind": "rename", "name": "x", "priority": 255}), true),
        (json!({"kind": "rename", "name": "x", "priority": 256}), false),
        (json!({"kind": "rename", "name": "x", "priority": null}), false),
        (json!({"kind": "rename", "name": "x", "reason": "y"}), false),
        (json!({"kind": "archive", "name": "x"}), false),
        (json!({"name": "x"}), false),
        (json!("rename"), false),
    ] {
        agree(&validator, &schema, &value, valid);
    }
    let (validator, schema) = (published("ProjectChange"), Schema::of::<ProjectChange>());
    for (value, valid) in [
        (json!({}), true),
        (json!({"color": null}), true),
        (json!({"name": null}), false),
        (json!({"color": ""}), false),
        (json!(null), false),
    ] {
        agree(&validator, &schema, &value, valid);
    }
}
