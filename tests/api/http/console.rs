//! The web console: which paths serve it, its headers, caching and compression, and the setting that turns it off.

use insula_tests::{Client, Server};

const PAGES: [&str; 11] = [
    "/",
    "/login",
    "/register",
    "/forgot",
    "/o",
    "/o/acme",
    "/o/acme/members?tab=invitations",
    "/account",
    "/account/security",
    "/platform",
    "/platform/users/1",
];

/// The paths of the files that the page loads first.
async fn files(anybody: &Client) -> Vec<String> {
    let page = anybody.get("/").await;
    let text = page.text();
    let named = text.split("href=\"").skip(1).chain(text.split("src=\"").skip(1));
    let mut files: Vec<_> = named.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    files
}

#[tokio::test]
async fn the_paths_of_the_console_get_its_page_with_a_strict_policy() {
    let server = Server::shared().await;
    let anybody = server.client();
    for path in PAGES {
        let page = anybody.get(path).await;
        assert_eq!(
            (page.status, page.header("content-type"), page.header("cache-control")),
            (200, Some("text/html; charset=utf-8"), Some("no-cache")),
            "{path}"
        );
        assert!(page.text().contains("<div id=\"app\">"), "{path}: {}", page.text());
        let policy = page.header("content-security-policy").unwrap();
        let rules: Vec<_> = policy.split("; ").collect();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types vue",
        ] {
            assert!(rules.contains(&rule), "{path}: {rule} is not in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
    }
    assert_eq!(anybody.request("HEAD", "/o/acme").await.status, 200);
    assert_eq!(anybody.request("POST", "/o/acme").await.status, 405);
}

#[tokio::test]
async fn unknown_paths_and_missing_files_are_not_found() {
    let server = Server::shared().await;
    for path in [
        "/nowhere",
        "/logins",
        "/login/x",
        "/index.html",
        "/assets/",
        "/assets/gone-12345678.js",
        "/assets/../index.html",
        "/assets/..%2findex.html",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/members",
    ] {
        server.client().get(path).await.problem(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn assets_are_cached_for_ever_and_other_files_are_revalidated() {
    let server = Server::shared().await;
    let anybody = server.client();
    let files = files(&anybody).await;
    assert!(files.iter().any(|file| file == "/theme.js"), "{files:?}");
    assert!(files.iter().filter(|file| file.starts_with("/assets/")).count() >= 2, "{files:?}");
    for file in files {
        let reply = anybody.get(&file).await;
        assert_eq!(reply.status, 200, "{file}");
        let expected = match file.starts_with("/assets/") {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        assert_eq!(reply.header("cache-control"), Some(expected), "{file}");
        let tag = reply.header("etag").unwrap().to_owned();
        let known = anybody.get(&file).header("if-none-match", &tag).await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{file}");
        assert_eq!(known.header("cache-control"), Some(expected), "{file}");
        let other = anybody.get(&file).header("if-none-match", "\"other\"").await;
        assert_eq!(other.status, 200, "{file}");
    }
}

#[tokio::test]
async fn the_client_chooses_the_coding() {
    let server = Server::shared().await;
    let anybody = server.client();
    let files = files(&anybody).await;
    let script = files.iter().find(|file| file.ends_with(".js") && file.starts_with("/assets/")).unwrap();
    for path in ["/", script] {
        let plain = anybody.get(path).await;
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        let mut tags = vec![plain.header("etag").unwrap().to_owned()];
        for (accept, coding) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")] {
            let reply = anybody.get(path).header("accept-encoding", accept).await;
            assert_eq!(reply.header("content-encoding"), Some(coding), "{path}: {accept}");
            assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{path}: {accept}");
            assert!(reply.body.len() < plain.body.len(), "{path}: {accept}");
            // The same bytes again: they are kept.
            assert_eq!(anybody.get(path).header("accept-encoding", accept).await.body, reply.body, "{path}");
            tags.push(reply.header("etag").unwrap().to_owned());
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "each representation has its own tag: {tags:?}");
        let none = anybody.get(path).header("accept-encoding", "identity").await;
        assert_eq!(none.header("content-encoding"), None, "{path}");
        assert_eq!(none.body, plain.body, "{path}");
    }
}

#[tokio::test]
async fn a_setting_turns_the_console_off() {
    let server = Server::builder().env("INSULA_CONSOLE", "false").start().await;
    let anybody = server.client();
    for path in PAGES.iter().skip(1).chain(&["/theme.js", "/favicon.svg", "/assets/index.js"]) {
        anybody.get(path).await.problem(404, "NOT_FOUND");
    }
    let home = anybody.get("/").await;
    assert_eq!(home.status, 200);
    assert!(home.text().contains("href=\"docs/\""), "{}", home.text());
    assert_eq!(anybody.get("/developers").await.text(), home.text());
}
