//! The examples and requirements of the OpenAPI document are true.

use insula_tests::{Operation, PASSWORD, Server, unique};
use serde_json::{Value, json};

use crate::security::isolation;

async fn document(server: &Server) -> Value {
    server.client().get("/api/v1/openapi.json").await.expect(200)
}

#[tokio::test]
async fn the_example_login_works() {
    let server = Server::shared().await;
    let document = document(&server).await;
    let operations = Operation::all(&document);
    let log_in = operations.iter().find(|operation| operation.id == "logIn").unwrap();
    let mut body = log_in.body.clone().unwrap();
    assert!(body.get("email").is_some() && body.get("username").is_none(), "one of them, not both: {body}");
    server.client().register(body["email"].as_str().unwrap()).await;
    body["password"] = PASSWORD.into();
    server.client().post(&log_in.path, body).await.expect(200);
}

#[tokio::test]
async fn of_members_that_exclude_each_other_it_asks_for_one() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let document = document(&server).await;
    let asked = superuser.get("/api/v1/users/me").await.expect(200)["id"].clone();
    let new = json!({"name": "Acme", "slug": unique("acme")});
    let with = |members: &[(&str, &Value)]| {
        let mut body = new.clone();
        members.iter().for_each(|(member, value)| body[*member] = (*value).clone());
        body
    };
    let mut schema = json!({"$ref": "#/components/schemas/AdminOrganizationCreate"});
    schema["components"] = document["components"].clone();
    let (id, email) = (("owner_id", &asked), ("owner_email", &json!(Server::SUPERUSER)));
    for (body, status) in [
        (with(&[]), 422),
        (with(&[id, email]), 422),
        (with(&[("owner_id", &Value::Null), ("owner_email", &Value::Null)]), 422),
        (with(&[id, ("owner_email", &Value::Null)]), 201),
    ] {
        assert_eq!(jsonschema::is_valid(&schema, &body), status == 201, "{body}");
        superuser.post("/api/v1/admin/organizations", body).await.expect(status);
    }
}

#[tokio::test]
async fn a_version_is_required_where_its_absence_is_refused() {
    let (server, superuser) = Server::with_superuser().await;
    let document = document(&server).await;
    let ada = server.client().register("ada@example.com").await.get("/api/v1/users/me").await.expect(200);
    let ada = ada["id"].as_str().unwrap().to_owned();
    let mut required = 0;
    for operation in Operation::all(&document) {
        let method = operation.method.to_lowercase();
        let parameters = document["paths"][&operation.path][&method]["parameters"].as_array().cloned();
        let parameters = parameters.unwrap_or_default();
        let Some(version) = parameters.iter().find(|parameter| parameter["name"] == "If-Match") else {
            continue;
        };
        // All referenced rows exist and belong to the caller.
        let own = superuser.create_organization(&operation.id.to_lowercase()).await;
        let mut path = operation.path.clone();
        for name in operation.parameters() {
            let id = match name {
                "org" | "organization" => own.id.clone(),
                "user" => ada.clone(),
                name => isolation::id(&isolation::make(&superuser, &own, name, "ONE").await).to_owned(),
            };
            path = path.replace(&format!("{{{name}}}"), &id);
        }
        let asked = operation.request(&superuser, &path).await;
        let is_refused = asked.status == 428;
        assert_eq!(version["required"], is_refused, "{}: {}", operation.id, asked.text());
        assert_eq!(operation.answers.contains(&428), is_refused, "{}", operation.id);
        required += usize::from(is_refused);
    }
    assert!(required > 2, "roles and settings require it");
}

#[tokio::test]
async fn it_describes_the_headers_of_the_limits() {
    let server = Server::shared().await;
    let document = document(&server).await;
    let answer = server.client().get("/api/v1/auth/config").await;
    let follow = |value: &Value| match value["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap().clone(),
        None => value.clone(),
    };
    for operation in Operation::all(&document) {
        let method = operation.method.to_lowercase();
        let responses = &document["paths"][&operation.path][&method]["responses"];
        for (status, response) in responses.as_object().unwrap() {
            let headers = follow(response)["headers"].clone();
            for name in ["RateLimit", "RateLimit-Policy", "X-Request-Id", "X-Insula-Version"] {
                assert_eq!(follow(&headers[name])["schema"]["type"], "string", "{} {status}", operation.id);
                assert!(answer.header(name).is_some(), "{name} is sent");
            }
            let is_later = ["429", "503"].contains(&&**status);
            assert_eq!(headers["Retry-After"]["required"] == true, is_later, "{} {status}", operation.id);
        }
    }
}
