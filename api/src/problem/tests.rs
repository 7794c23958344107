use poem::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::test_api::{ID, ask, request, send};

fn failure(how: &str) -> Request {
    request(Method::GET, &format!("/api/v1/failures/{how}")).finish()
}

#[tokio::test]
async fn every_code_has_its_status_and_the_schema() {
    let mut schema = schema();
    schema["additionalProperties"] = false.into();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for code in ErrorCode::ALL {
        let (status, problem) = ask(failure(code.as_str())).await;
        assert_eq!(status, super::status(code.kind()).as_u16());
        assert_eq!((&problem["error"], &problem["status"]), (&json!(code.as_str()), &json!(status)));
        assert!(validator.is_valid(&problem), "{problem}");
        let general = general(StatusCode::from_u16(status).unwrap()).kind();
        let is_only_ours = [ErrorKind::Gone, ErrorKind::Moved].contains(&code.kind());
        assert!(general == code.kind() || is_only_ours, "{general:?}");
    }
}

#[tokio::test]
async fn members_have_the_order_of_the_standard() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traced = request(Method::GET, "/api/v1/failures/SLUG_TAKEN")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let body = send(traced.finish()).await.into_body().into_string().await.unwrap();
    let sentence = ErrorCode::SlugTaken.sentence();
    assert_eq!(
        body,
        format!(
            r#"{{"type":"/problems/slug-taken","title":"Slug taken","status":409,"detail":"{sentence}","#
        ) + &format!(
            r#""instance":"/api/v1/failures/SLUG_TAKEN","error":"SLUG_TAKEN","message":"{sentence}","#
        ) + &format!(r#""errors":[],"request_id":"test","trace_id":"{trace}"}}"#)
    );
}

#[tokio::test]
async fn a_missing_permission_is_explained() {
    let (status, problem) = ask(request(Method::GET, "/api/v1/organizations/poor/projects").finish()).await;
    assert_eq!(status, 403);
    assert_eq!(problem["permission"], "projects:read");
    assert_eq!(problem["missing"], json!(["projects:read"]));
    assert_eq!((&problem["roles_held"], &problem["roles_that_grant"]), (&json!([]), &json!(["owner"])));
}

#[tokio::test]
async fn statuses_have_their_headers() {
    let header = async |request: Request, name: &str| {
        let response = send(request).await;
        response.header(name).map(str::to_owned)
    };
    assert_eq!(header(failure("busy"), "retry-after").await.unwrap(), "2");
    assert_eq!(header(failure("UNAVAILABLE"), "retry-after").await.unwrap(), "1");
    let path = "/api/v1/organizations/acme/projects";
    let anonymous = || Request::builder().uri(path.parse().unwrap());
    assert_eq!(header(anonymous().finish(), "www-authenticate").await.unwrap(), "Bearer");
    let stale = anonymous().header("authorization", "Bearer old").finish();
    assert_eq!(header(stale, "www-authenticate").await.unwrap(), r#"Bearer error="invalid_token""#);
    let delete = |path| request(Method::DELETE, path).finish();
    assert_eq!(header(delete(path), "allow").await.unwrap(), "GET, HEAD, POST");
    assert_eq!(header(delete("/livez"), "allow").await.unwrap(), "GET, HEAD");
}

#[tokio::test]
async fn internal_errors_reveal_no_details() {
    for how in ["panic", "broken", "poem"] {
        let (status, problem) = ask(failure(how)).await;
        assert_eq!((status, &problem["error"]), (500, &json!("INTERNAL_ERROR")), "{how}");
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
}

#[tokio::test]
async fn errors_of_the_framework_are_problems_too() {
    let json = "application/json";
    for (request, status, error, field) in [
        (request(Method::GET, "/nowhere"), 404, "NOT_FOUND", Value::Null),
        (request(Method::GET, "/api/v1/nowhere"), 404, "NOT_FOUND", Value::Null),
        (request(Method::POST, "/livez"), 405, "METHOD_NOT_ALLOWED", Value::Null),
        (request(Method::GET, "/api/v1/organizations/acme/projects/x"), 404, "NOT_FOUND", Value::Null),
        (
            request(Method::GET, "/api/v1/failures/x").header("x-number", "y"),
            422,
            "VALIDATION_FAILED",
            json!("X-Number"),
        ),
        (request(Method::POST, "/api/v1/actions").content_type(json), 400, "BAD_REQUEST", json!("")),
        (
            request(Method::POST, "/api/v1/actions").content_type("text/plain"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            Value::Null,
        ),
    ] {
        let (answered, problem) = ask(request.finish()).await;
        assert_eq!(
            (answered, &problem["error"], &problem["errors"][0]["field"]),
            (status, &json!(error), &field)
        );
        assert_eq!(problem["request_id"], "test");
    }
}

#[tokio::test]
async fn other_error_responses_are_replaced_and_redirects_kept() {
    use poem::{EndpointExt, endpoint::make_sync};
    let foreign = make_sync(|_| Response::from(StatusCode::CONFLICT)).around(render);
    let response = foreign.get_response(Request::default()).await;
    assert_eq!((response.status(), response.content_type()), (StatusCode::CONFLICT, Some(MEDIA_TYPE)));
    let redirect = make_sync(|_| {
        let response =
            Response::builder().status(StatusCode::PERMANENT_REDIRECT).header("location", ID).finish();
        Err::<Response, _>(poem::Error::from_response(response))
    });
    let response = redirect.around(render).get_response(Request::default()).await;
    assert_eq!((response.status(), response.header("location")), (StatusCode::PERMANENT_REDIRECT, Some(ID)));
}

#[tokio::test]
async fn the_question_mark_converts_errors_of_core_and_extractors() {
    fn core() -> Result<()> {
        Err(ErrorCode::SlugTaken.refuse())?
    }
    fn extractor() -> Result<()> {
        Err(poem::Error::from(poem::error::NotFoundError))?
    }
    assert_eq!(core().unwrap_err().0.code(), ErrorCode::SlugTaken);
    assert_eq!(extractor().unwrap_err().0.code(), ErrorCode::NotFound);
}
