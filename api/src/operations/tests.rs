use poem::http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::{
    BASE,
    test_api::{Demo, ID, ask, error_codes, request, send},
};

fn table() -> Operations {
    Operations::new::<Demo>(BASE).unwrap()
}

#[test]
fn requests_find_their_operation() {
    let table = table();
    let project = format!("/api/v1/organizations/acme/projects/{ID}");
    for (method, path, found) in [
        (Method::GET, "/api/v1/organizations/acme/projects", "listProjects"),
        (Method::HEAD, "/api/v1/organizations/acme/projects", "listProjects"),
        (Method::POST, "/api/v1/organizations/acme/projects", "createProject"),
        (Method::PATCH, &project, "changeProject"),
        (Method::GET, "/api/v1/failures/h%C3%B6w%20so", "fail"),
        (Method::PUT, &project, "GET, HEAD, PATCH"),
        (Method::HEAD, "/api/v1/actions", "POST"),
        (Method::OPTIONS, "/api/v1/actions", "POST"),
        (Method::GET, "/livez", "unknown"),
        (Method::GET, "/api/v1", "unknown"),
        (Method::GET, "/api/v1/organizations/acme", "unknown"),
        (Method::GET, "/api/v1/organizations/acme/projects/", "unknown"),
        (Method::GET, "/API/v1/organizations/acme/projects", "unknown"),
        (Method::GET, "/api/v1/organizations/acme/Projects", "unknown"),
    ] {
        let look_up = match table.look_up(&method, path) {
            Match::Found(operation) => operation.id.to_owned(),
            Match::WrongMethod(allow) => allow.to_str().unwrap().to_owned(),
            Match::Unknown => "unknown".to_owned(),
            Match::NotCanonical => "not canonical".to_owned(),
        };
        assert_eq!(look_up, found, "{method} {path}");
    }
    let Match::Found(create) = table.look_up(&Method::POST, "/api/v1/organizations/acme/projects") else {
        panic!()
    };
    assert_eq!(create.permission.as_deref(), Some("projects:create"));
    assert_eq!((&create.method, &*create.template), (&Method::POST, "/api/v1/organizations/{org}/projects"));
}

#[test]
fn only_one_form_of_a_path_is_canonical() {
    for good in ["/", "/docs/", "/a/b", "/a%20b", "/%C3%A9", "/a.b/..c", "/a;b=1", "/%25"] {
        assert!(is_canonical(good), "{good}");
    }
    for bad in [
        "",
        "*",
        "a/b",
        "//",
        "//a",
        "/a//b",
        "/./a",
        "/a/.",
        "/a/../b",
        "/..",
        "/%2e%2e/a",
        "/%61",
        "/a%2Fb",
        "/a%2fb",
        "/a%00",
        "/a%0A",
        "/a%7F",
        "/a%5Cb",
        "/a\\b",
        "/a%7Eb",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/%FF",
        "/%C3",
    ] {
        assert!(!is_canonical(bad), "{bad}");
    }
}

proptest! {
    /// A canonical path decodes to segments that encode back to it, and hides no separator.
    #[test]
    fn a_canonical_path_hides_no_separator(path in "(/([a-z.~]|%[0-9A-F]{2}){0,4}){1,4}") {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let decode = |segment: &str| {
            let mut bytes = vec![];
            let mut rest = segment;
            while let Some(first) = rest.chars().next() {
                let take = if first == '%' { 3 } else { 1 };
                bytes.push(if first == '%' { u8::from_str_radix(&rest[1..3], 16).unwrap() } else { first as u8 });
                rest = &rest[take..];
            }
            bytes
        };
        if is_canonical(&path) {
            for (at, segment) in segments.iter().enumerate() {
                let bytes = decode(segment);
                prop_assert!(!bytes.is_empty() || at + 1 == segments.len());
                prop_assert!(bytes != b"." && bytes != b"..");
                prop_assert!(bytes.iter().all(|byte| !byte.is_ascii_control() && *byte != b'/' && *byte != b'\\'));
                let encoded: String = bytes.iter().map(|byte| match byte {
                    byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => char::from(*byte).to_string(),
                    byte => format!("%{byte:02X}"),
                }).collect();
                prop_assert_eq!(&encoded, segment);
            }
        }
    }
}

#[tokio::test]
async fn a_path_that_is_not_canonical_is_never_found() {
    for path in ["/%6Civez", "//livez", "/livez/", "/docs/../livez", "/api/v1/%61ctions", "/api/v1/actions/"]
    {
        let (status, problem) = ask(request(Method::GET, path).finish()).await;
        assert_eq!((status, problem["error"].as_str()), (404, Some("NOT_FOUND")), "{path}");
    }
}

#[tokio::test]
async fn routes_outside_of_the_table_work() {
    let get = async |path: &str| send(request(Method::GET, path).finish()).await;
    assert_eq!(get("/livez").await.into_body().into_string().await.unwrap(), "alive");
    assert_eq!(send(request(Method::HEAD, "/livez").finish()).await.status(), StatusCode::OK);
    let redirect = get("/docs").await;
    assert_eq!((redirect.status().as_u16(), redirect.header("location")), (308, Some("docs/")));
    let page = get("/docs/").await;
    assert_eq!((page.status(), page.content_type()), (StatusCode::OK, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self';"));
    assert_eq!(get("/docs/README.md").await.status(), StatusCode::NOT_FOUND);
    let document = get("/api/v1/openapi.json").await;
    let tag = document.header("etag").unwrap().to_owned();
    assert_eq!(document.header("cache-control"), Some("no-cache"));
    let again = request(Method::GET, "/api/v1/openapi.json").header("if-none-match", format!("\"x\", {tag}"));
    assert_eq!(send(again.finish()).await.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn every_wrong_query_parameter_is_reported_at_once() {
    const LIST: &str = "/api/v1/organizations/acme/projects";
    let list = async |query: &str| {
        let (status, body) = ask(request(Method::GET, &format!("{LIST}?{query}")).finish()).await;
        assert_eq!(status == 422, body["error"] == "VALIDATION_FAILED", "{body}");
        (status, error_codes(&body))
    };
    for good in ["tag=a%2Db", "limit=100&status=archived&tag=ab&tag=cd", "tag=ab&limit=1"] {
        assert_eq!(list(good).await, (200, vec![]), "{good}");
    }
    for (bad, expected) in [
        ("", vec!["tag REQUIRED"]),
        (
            "tag=ab&limit=0&status=odd&nope=1&Limit=2",
            vec!["limit TOO_SMALL", "status NOT_A_CHOICE", "Limit UNKNOWN_FIELD", "nope UNKNOWN_FIELD"],
        ),
        ("tag=ab&limit=1&limit=2", vec!["limit NOT_UNIQUE"]),
        ("tag=ab&limit=ten", vec!["limit WRONG_TYPE"]),
        ("tag=ab&limit=", vec!["limit WRONG_TYPE"]),
        ("tag=ab&limit=1.5", vec!["limit WRONG_TYPE"]),
        ("tag=ab&limit=007", vec!["limit WRONG_TYPE"]),
        ("tag=ab&tag=A&tag=%00%00", vec!["tag[1] TOO_SHORT", "tag[2] INVALID_FORMAT"]),
    ] {
        assert_eq!(list(bad).await, (422, expected.into_iter().map(str::to_owned).collect()), "{bad}");
    }
}

#[tokio::test]
async fn callers_without_permission_learn_nothing_about_parameters() {
    let path = "/api/v1/organizations/other/projects?nope=1";
    assert_eq!(ask(request(Method::GET, path).finish()).await.0, 404);
    let anonymous = Request::builder().uri(path.parse().unwrap()).finish();
    assert_eq!(ask(anonymous).await.0, 401);
    let body = request(Method::POST, "/api/v1/actions?nope=1").content_type("application/json").body("{");
    assert_eq!(error_codes(&ask(body).await.1), ["nope UNKNOWN_FIELD"]);
}
