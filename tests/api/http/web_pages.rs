//! The web pages: the page for developers, the pages of problems, the API reference.

use insula_tests::{Client, Reply, Server};

/// The page, which must be one: in bounds, in no frame, with nothing inline.
async fn page(anybody: &Client, path: &str) -> Reply {
    let reply = anybody.get(path).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8")),
        "{path}"
    );
    assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{path}");
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
        "{path}: {policy}"
    );
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for inline in ["<script>", "<style", "style=", "onclick", "onload", "javascript:"] {
        assert!(!reply.text().contains(inline), "{path}: {inline}");
    }
    reply
}

/// Where the links and parts of a page lead, from `path` on.
fn targets(path: &str, html: &str) -> Vec<String> {
    let base = reqwest::Url::parse(&format!("http://insula.example{path}")).unwrap();
    let named = html.split("href=\"").chain(html.split("src=\"")).skip(1);
    let named = named.filter_map(|rest| rest.split('"').next()).filter(|target| !target.contains([':', '<']));
    named.map(|target| base.join(target).unwrap().path().to_owned()).collect()
}

#[tokio::test]
async fn the_page_for_developers_says_what_this_is_and_every_link_of_it_leads_somewhere() {
    let server = Server::shared().await;
    let anybody = server.client();
    let first = page(&anybody, "/developers").await;
    let targets = targets("/developers", first.text());
    for expected in
        ["/docs/", "/redoc/", "/api/v1/openapi.json", "/problems", "/dev/mail", "/links/links.css"]
    {
        assert!(targets.iter().any(|target| target == expected), "{expected}: {targets:?}");
    }
    for target in targets {
        assert_eq!(anybody.get(&target).await.status, 200, "{target}");
    }
    // Where e-mails are sent, none is shown.
    let server = Server::shared_with_mail().await;
    assert!(!page(&server.client(), "/developers").await.text().contains("dev/mail"));
    for (method, status) in [("HEAD", 200), ("POST", 405)] {
        assert_eq!(server.client().request(method, "/developers").await.status, status);
    }
}

#[tokio::test]
async fn every_code_has_a_page_and_the_type_of_a_problem_leads_to_it() {
    let server = Server::shared().await;
    let anybody = server.client();
    let document = anybody.get("/api/v1/openapi.json").await.expect(200);
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["error"]["enum"];
    let index = page(&anybody, "/problems").await;
    let listed = targets("/problems", index.text());
    for code in codes.as_array().unwrap() {
        let code = code.as_str().unwrap();
        let path = format!("/problems/{}", code.to_lowercase().replace('_', "-"));
        assert!(listed.contains(&path), "{path}");
        let explained = page(&anybody, &path).await;
        for part in [code, "What it means", "What to do"] {
            assert!(explained.text().contains(part), "{path}: {part}");
        }
        for target in targets(&path, explained.text()) {
            assert!(listed.contains(&target) || ["/", "/problems"].contains(&&*target), "{path}: {target}");
        }
    }
    let problem = anybody.get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
    let explained = page(&anybody, problem["type"].as_str().unwrap()).await;
    assert!(explained.text().contains(problem["title"].as_str().unwrap()), "{}", explained.text());
    anybody.get("/problems/no-such-code").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_reference_asks_this_server_alone() {
    let server = Server::shared().await;
    let anybody = server.client();
    let moved = anybody.get("/redoc").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("redoc/")));
    let reference = page(&anybody, "/redoc/").await;
    for target in targets("/redoc/", reference.text()) {
        let part = anybody.get(&target).await;
        assert_eq!(part.status, 200, "{target}");
        assert!(!part.text().contains("cdn.redoc"), "{target}");
        let known = part.header("etag").unwrap().to_owned();
        assert_eq!(anybody.get(&target).header("if-none-match", &known).await.status, 304);
    }
    let start = anybody.get("/redoc/start.js").await;
    assert!(start.text().contains("\"../api/v1/openapi.json\""));
}

/// A page with nothing left to do links to the home page.
#[tokio::test]
async fn the_link_pages_link_to_the_first_page() {
    let server = Server::shared().await;
    for path in ["/accept", "/verify", "/reset"] {
        let html = page(&server.client(), path).await;
        assert!(
            html.text().contains("<p id=\"onward\" hidden><a id=\"way\" class=\"button\" href=\"./\">"),
            "{path}"
        );
    }
    assert!(
        server.client().get("/links/page.js").await.text().contains("at(\"onward\").hidden = form !== null")
    );
}
