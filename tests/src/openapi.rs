//! The operations of the OpenAPI document, for tests that call all of them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Client, Request};

/// One operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its `operationId`.
    pub id: String,
    /// Its method, in upper case.
    pub method: String,
    /// Its path with the names of its parameters: `/api/v1/organizations/{org}`.
    pub path: String,
    /// Its `x-permission`.
    pub permission: Option<String>,
    /// Whether it needs an access token.
    pub needs_token: bool,
    /// The example of its JSON body, if it takes one.
    pub body: Option<Value>,
    /// The example of its CSV body, if it takes one.
    pub file: Option<String>,
    /// The status codes it documents.
    pub answers: BTreeSet<u16>,
}

impl Operation {
    /// Every operation of the document, in its order.
    pub fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().expect("the document has paths");
        let methods = |(path, methods): (&String, &Value)| -> Vec<Self> {
            let methods = methods.as_object().expect("a path has methods");
            methods.iter().map(|(method, operation)| Self::read(path, method, operation)).collect()
        };
        paths.iter().flat_map(methods).collect()
    }

    fn read(path: &str, method: &str, operation: &Value) -> Self {
        let id =
            operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
        let permission = operation.get("x-permission").unwrap_or_else(|| panic!("{id} has no x-permission"));
        let content = operation.get("requestBody").map(|body| &body["content"]);
        let file = content.and_then(|content| content.get("text/csv")).map(|csv| {
            let example = csv["schema"]["examples"][0].as_str();
            example.unwrap_or_else(|| panic!("{id} has no example of its file")).to_owned()
        });
        let body = content.filter(|_| file.is_none()).map(|content| {
            let example = &content["application/json"]["example"];
            assert!(example.is_object(), "{id} has no example of its body");
            example.clone()
        });
        let answers = operation["responses"].as_object().expect("an operation answers");
        Self {
            id: id.to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            permission: permission.as_str().map(str::to_owned),
            needs_token: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
            body,
            file,
            answers: answers.keys().map(|status| status.parse().expect("a status code")).collect(),
        }
    }

    /// The names of its path parameters, in their order.
    pub fn parameters(&self) -> Vec<&str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// Its path with the parameters filled in.
    pub fn path_with(&self, fill: impl Fn(&str) -> String) -> String {
        let names = self.parameters();
        names.iter().fold(self.path.clone(), |path, name| path.replace(&format!("{{{name}}}"), &fill(name)))
    }

    /// A request for it, with the documented example as its body.
    pub fn request(&self, caller: &Client, path: &str) -> Request {
        let request = caller.request(&self.method, path);
        match (&self.body, &self.file) {
            (Some(example), _) => request.json(example.clone()),
            (None, Some(file)) => request.body("text/csv", file.as_str()),
            (None, None) => request,
        }
    }

    /// A request with an invalid body, if the operation has one.
    pub fn broken_request(&self, caller: &Client, path: &str) -> Request {
        let request = caller.request(&self.method, path);
        match (&self.body, &self.file) {
            (Some(_), _) => request.body("application/json", "{\""),
            (None, Some(_)) => request.body("text/csv", "nothing\n"),
            (None, None) => request,
        }
    }
}
