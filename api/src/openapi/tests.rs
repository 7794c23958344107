use std::collections::BTreeSet;

use poem_openapi::{Object, param::Path, payload::Json};

use super::*;
use crate::{BASE, body::StrictJson, test_api::Demo};

fn doc() -> Value {
    publish::<Demo>(BASE).unwrap()
}

fn statuses<'a>(doc: &'a Value, path: &str, method: &str) -> Vec<&'a str> {
    let responses = &doc["paths"][format!("{BASE}{path}")][method]["responses"];
    responses.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn an_operation_lists_exactly_its_possible_responses() {
    let doc = doc();
    for (path, method, expected) in [
        ("/organizations/{org}/projects", "get", "200 308 400 401 403 404 408 410 422 429 500 503"),
        (
            "/organizations/{org}/projects",
            "post",
            "200 308 400 401 403 404 408 409 410 413 415 422 429 500 503",
        ),
        (
            "/organizations/{org}/projects/{project}",
            "get",
            "200 304 308 400 401 403 404 408 410 422 429 500 503",
        ),
        (
            "/organizations/{org}/projects/{project}",
            "patch",
            "200 308 400 401 403 404 408 409 410 412 413 415 422 429 500 503",
        ),
        ("/actions", "post", "200 400 401 403 408 413 415 422 429 500 503"),
        ("/register", "post", "200 400 408 409 413 415 422 429 500 503"),
        ("/failures/{how}", "get", "200 400 404 408 422 429 500 503"),
    ] {
        assert_eq!(statuses(&doc, path, method).join(" "), expected, "{method} {path}");
    }
    let post = &doc["paths"]["/api/v1/organizations/{org}/projects"]["post"];
    assert_eq!(post["responses"]["409"], json!({"$ref": "#/components/responses/Conflict"}));
}

#[test]
fn operations_name_their_permission() {
    let doc = doc();
    let create = &doc["paths"]["/api/v1/organizations/{org}/projects"]["post"];
    assert_eq!(create["x-permission"], "projects:create");
    assert_eq!(create["x-limit"], "write");
    assert_eq!(create["parameters"][0]["schema"], json!({"type": "string"}));
    assert_eq!(create["security"], json!([{"bearer": []}, {"cookie": []}]));
    let public = &doc["paths"]["/api/v1/actions"]["post"];
    assert_eq!((public.get("x-permission"), &public["security"]), (Some(&Value::Null), &json!([])));
}

#[test]
fn request_bodies_are_closed_and_patches_have_both_media_types() {
    let doc = doc();
    let patch = &doc["paths"]["/api/v1/organizations/{org}/projects/{project}"]["patch"];
    let types: Vec<_> = patch["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(types, ["application/json", "application/merge-patch+json"]);
    assert_eq!(
        patch["responses"]["200"]["content"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["application/json"]
    );
    assert_eq!(patch["responses"]["200"]["description"], "OK");
    let schemas = &doc["components"]["schemas"];
    for closed in ["NewProject", "ProjectChange", "Member", "Action_Rename"] {
        assert_eq!(schemas[closed]["additionalProperties"], false, "{closed}");
    }
    assert!(schemas["Project"].get("additionalProperties").is_none());
    assert!(schemas["Action"].get("additionalProperties").is_none());
    assert!(schemas.get("Rename").is_none(), "only its arm is used");
}

#[test]
fn schemas_use_version_3_1() {
    let doc = doc();
    assert_eq!((&doc["openapi"], &doc["servers"]), (&json!("3.1.0"), &json!([{"url": "/"}])));
    let license = json!({"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"});
    assert_eq!(doc["info"], json!({"title": "Insula", "version": VERSION, "license": license}));
    let new = &doc["components"]["schemas"]["NewProject"]["properties"];
    assert_eq!(new["description"], json!({"type": ["string", "null"]}));
    assert_eq!(new["starts"], json!({"type": ["string", "null"], "format": "date"}));
    assert_eq!(new["status"], json!({"$ref": "#/components/schemas/Status"}));
    assert_eq!(
        new["lead"],
        json!({
            "description": "The responsible member.",
            "anyOf": [{"$ref": "#/components/schemas/Member"}, {"type": "null"}],
        })
    );
    assert_eq!(
        new["budget"],
        json!({"type": "integer", "format": "int32", "minimum": 0, "exclusiveMaximum": 100})
    );
    assert_eq!(new["name"]["examples"], json!(["Blue whale"]));
    assert!(!doc.to_string().contains("\"nullable\""));
}

/// A meta-test of every example: each must match its own schema.
#[test]
fn every_body_has_a_valid_example() {
    for doc in [doc(), crate::app::document().unwrap()] {
        let mut examples = BTreeSet::new();
        check_examples(&doc, &doc, &mut examples);
        assert!(examples.len() > 6, "{examples:?}");
    }
}

fn check_examples(doc: &Value, value: &Value, examples: &mut BTreeSet<String>) {
    if let (Some(example), Some(schema)) = (value.get("example"), value.get("schema")) {
        let mut schema = schema.clone();
        schema["components"] = doc["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(example).map(|err| err.to_string()).collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
        examples.insert(example.to_string());
    }
    match value {
        Value::Object(map) => map.values().for_each(|child| check_examples(doc, child, examples)),
        Value::Array(items) => items.iter().for_each(|child| check_examples(doc, child, examples)),
        _ => {}
    }
}

#[test]
fn tags_are_sorted_and_ids_unique() {
    let doc = doc();
    let tags: Vec<_> =
        doc["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, ["Accounts", "Projects"]);
    assert!(publish::<(Demo, Demo)>(BASE).unwrap_err().contains("two operations"));
}

#[test]
fn an_incomplete_document_is_an_error() {
    #[derive(Object)]
    struct Vague {
        inner: Words,
    }
    #[derive(Object)]
    struct Words {
        text: String,
    }
    struct NoExample;
    #[OpenApi]
    impl NoExample {
        /// Say something
        #[oai(path = "/say", method = "post", operation_id = "say")]
        async fn say(&self, words: StrictJson<Vague>) -> Json<bool> {
            Json(words.value.inner.text.is_empty())
        }
    }
    let err = publish::<NoExample>(BASE).unwrap_err();
    assert_eq!(err, "the request body of \"say\" has no example at inner.text");

    struct Nameless;
    #[OpenApi]
    impl Nameless {
        /// Do it
        #[oai(path = "/do", method = "post")]
        async fn act(&self) {}
    }
    assert!(publish::<Nameless>(BASE).unwrap_err().contains("no operationId"));

    struct Silent;
    #[OpenApi]
    impl Silent {
        #[oai(path = "/do", method = "post", operation_id = "act")]
        async fn act(&self) {}
    }
    assert!(publish::<Silent>(BASE).unwrap_err().contains("no summary"));
}

#[test]
fn path_parameters_match_the_path_in_order() {
    struct Swapped;
    #[OpenApi]
    impl Swapped {
        /// Look
        #[oai(path = "/a/:first/:second", method = "get", operation_id = "look")]
        async fn look(&self, second: Path<i32>, first: Path<i32>) -> Json<bool> {
            Json(first.0 == second.0)
        }
    }
    assert!(publish::<Swapped>(BASE).unwrap_err().contains("in another order"));
}

#[test]
fn properties_can_have_names_of_keywords() {
    #[derive(Object)]
    #[oai(rename_all = "camelCase")]
    struct Keywords {
        r#type: u8,
        #[oai(nullable)]
        example: Option<u8>,
        #[oai(nullable)]
        default: Option<u8>,
        nullable: bool,
        properties: Vec<u8>,
        content: bool,
    }
    struct Confusing;
    #[OpenApi]
    impl Confusing {
        /// Confuse
        #[oai(path = "/confuse", method = "post", operation_id = "confuse")]
        async fn confuse(&self, words: StrictJson<Keywords>) -> Json<bool> {
            let Keywords { r#type, example, default, nullable, properties, content } = words.value;
            Json(r#type == 1 && example == default && nullable && content && properties.is_empty())
        }
    }
    let doc = publish::<Confusing>(BASE).unwrap();
    let byte = |ty: Value| json!({"type": ty, "minimum": 0, "maximum": 255});
    let expected = json!({
        "type": byte(json!("integer")),
        "example": byte(json!(["integer", "null"])),
        "default": byte(json!(["integer", "null"])),
        "nullable": {"type": "boolean"},
        "properties": {"type": "array", "items": byte(json!("integer"))},
        "content": {"type": "boolean"},
    });
    assert_eq!(doc["components"]["schemas"]["Keywords"]["properties"], expected);
    check_examples(&doc, &doc, &mut BTreeSet::new());
}

#[test]
fn groups_can_share_a_path() {
    struct Other;
    #[OpenApi]
    impl Other {
        /// Delete all actions
        #[oai(path = "/actions", method = "delete", operation_id = "forgetActions")]
        async fn forget(&self) {}
    }
    let doc = publish::<(Demo, Other)>(BASE).unwrap();
    let methods = doc["paths"]["/api/v1/actions"].as_object().unwrap();
    assert_eq!(methods.keys().collect::<Vec<_>>(), ["delete", "post"]);
}

#[test]
fn the_committed_document_is_the_published_one() {
    let committed: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert!(
        committed == crate::app::document().unwrap(),
        "api/openapi.json is out of date: run `make openapi`"
    );
}
