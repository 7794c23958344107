//! Checks of an installation from outside, as clients see it.

use hyper::HeaderMap;
use insula_api::VERSION;
use insula_core::runtime::config::Config;
use serde_json::Value;

use super::report::CheckResult;
use crate::cli::http_get::{self, HttpReply};

/// Security headers of every response, and whether they only belong to pages over https.
const HEADERS: [(&str, bool); 4] = [
    ("x-content-type-options", false),
    ("referrer-policy", false),
    ("content-security-policy", false),
    ("strict-transport-security", true),
];

/// `url` has no slash at the end.
pub(super) async fn check(url: &str, config: &Config) -> Vec<CheckResult> {
    const FIX: &str =
        "Check the URL, DNS, firewalls, the proxy and its certificate, and that a server is running.";
    let health = match http_get::get(&format!("{url}/healthz"), config).await {
        Ok(reply) => reply,
        Err(error) => return vec![CheckResult::failed("connection", error, FIX)],
    };
    let mut checks = vec![
        match url.starts_with("https://") {
            true => CheckResult::ok("connection", "encrypted, with a valid certificate"),
            false => {
                CheckResult::warning("connection", "not encrypted", "Use https outside of your own machine.")
            }
        },
        health_check(&health),
    ];
    let get = async |name, path: &str| {
        let reply = http_get::get(&format!("{url}{path}"), config).await;
        reply.map_err(|error| CheckResult::failed(name, error, FIX))
    };
    checks.push(get("readiness", "/readyz").await.map_or_else(|check| check, |reply| readiness(&reply)));
    checks.push(get("version", "/version").await.map_or_else(|check| check, |reply| version(&reply)));
    let is_https = url.starts_with("https://");
    // A page, because some headers only belong to pages.
    checks.push(
        get("headers", "/problems")
            .await
            .map_or_else(|check| check, |reply| headers(&reply.headers, is_https)),
    );
    checks.push(
        get("openapi", "/api/v1/openapi.json").await.map_or_else(|check| check, |reply| openapi(&reply)),
    );
    checks
}

fn json(reply: &HttpReply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

fn health_check(reply: &HttpReply) -> CheckResult {
    const NAME: &str = "health";
    match reply.status == 200 && json(reply)["status"] == "ok" {
        true => CheckResult::ok(NAME, format!("answers in {} ms", reply.duration.as_millis())),
        false => {
            let fix = "Check that the proxy leads to a server of Insula.";
            CheckResult::failed(NAME, format!("/healthz answers {} and is not Insula's", reply.status), fix)
        }
    }
}

fn readiness(reply: &HttpReply) -> CheckResult {
    const NAME: &str = "readiness";
    let body = json(reply);
    if reply.status != 200 {
        let detail =
            body["reason"].as_str().or(body["detail"].as_str()).unwrap_or("no reason given").to_owned();
        let fix = "Follow the reason; `insula doctor` on the server finds more.";
        return CheckResult::failed(NAME, format!("/readyz answers {}: {detail}", reply.status), fix);
    }
    match body["warnings"][0].as_str() {
        Some(warning) => CheckResult::warning(NAME, warning, "Correct the clock of the server."),
        None => CheckResult::ok(NAME, "accepts requests"),
    }
}

fn version(reply: &HttpReply) -> CheckResult {
    const NAME: &str = "version";
    match json(reply)["version"].as_str() {
        Some(version) if version == VERSION => CheckResult::ok(NAME, version),
        Some(version) => {
            let detail = format!("{version}, and this program is {VERSION}");
            CheckResult::warning(NAME, detail, "Use this program with servers of its own version.")
        }
        None => CheckResult::failed(
            NAME,
            "/version gives no version",
            "Check that the proxy leads to a server of Insula.",
        ),
    }
}

fn headers(headers: &HeaderMap, is_https: bool) -> CheckResult {
    const NAME: &str = "headers";
    let expected = HEADERS.iter().filter(|(_, https_only)| is_https || !https_only);
    let missing: Vec<_> =
        expected.map(|(name, _)| *name).filter(|name| !headers.contains_key(*name)).collect();
    match missing.is_empty() {
        true => CheckResult::ok(NAME, "all security headers are set"),
        false => CheckResult::failed(
            NAME,
            format!("missing: {}", missing.join(", ")),
            "Check whether the proxy removes headers, and INSULA_CSP_MODE and INSULA_PUBLIC_URL of the server.",
        ),
    }
}

fn openapi(reply: &HttpReply) -> CheckResult {
    const NAME: &str = "openapi";
    let document = json(reply);
    let paths = document["paths"].as_object().map_or(0, serde_json::Map::len);
    match document["openapi"].as_str().filter(|version| version.starts_with("3.1") && paths > 0) {
        Some(version) => CheckResult::ok(NAME, format!("OpenAPI {version} with {paths} paths")),
        None => CheckResult::failed(
            NAME,
            format!("/api/v1/openapi.json answers {} and is no OpenAPI 3.1 document", reply.status),
            "Check that the proxy passes all paths below /api to the server.",
        ),
    }
}
