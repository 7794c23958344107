//! The pages of e-mailed links.

use insula_tests::Server;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'";

#[tokio::test]
async fn the_page_runs_only_what_this_server_serves() {
    let server = Server::shared().await;
    let anybody = server.client();
    for (path, media_type) in [
        ("/verify", "text/html; charset=utf-8"),
        ("/reset", "text/html; charset=utf-8"),
        ("/accept", "text/html; charset=utf-8"),
        ("/links/page.js", "text/javascript; charset=utf-8"),
        ("/links/accept.js", "text/javascript; charset=utf-8"),
        ("/links/links.js", "text/javascript; charset=utf-8"),
        ("/links/links.css", "text/css; charset=utf-8"),
    ] {
        let reply = anybody.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(media_type)), "{path}");
        assert_eq!(reply.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        let known = reply.header("etag").unwrap().to_owned();
        assert_eq!(anybody.get(path).header("if-none-match", &known).await.status, 304);
    }
}

#[tokio::test]
async fn what_a_page_names_is_served_and_nothing_stands_in_line() {
    let server = Server::shared().await;
    let anybody = server.client();
    let document = anybody.get("/api/v1/openapi.json").await.expect(200);
    let html = anybody.get("/verify").await.text().to_owned();
    assert_eq!(anybody.get("/reset").await.text(), html);
    let shared = anybody.get("/links/page.js").await.text().to_owned();
    let accept = anybody.get("/accept").await.text().to_owned();
    for (html, script, operations) in [
        (
            html,
            "links/links.js",
            &[
                "auth/email/verify",
                "auth/email/undo",
                "auth/email/resend",
                "auth/password/reset",
                "auth/password/forgot",
            ][..],
        ),
        (
            accept,
            "links/accept.js",
            &["invitations/preview", "invitations/accept", "invitations/decline", "auth/logout"],
        ),
    ] {
        // Relative, so that a path before it does no harm.
        for part in [script, "links/page.js", "links/links.css"] {
            assert!(html.contains(&format!("=\"{part}\"")), "{part}");
            assert_eq!(anybody.get(&format!("/{part}")).await.status, 200);
        }
        for inline in ["<script>", "<style", "style=", "onclick", "onload", "onsubmit", "javascript:"] {
            assert!(!html.contains(inline), "{inline}");
        }
        let script = shared.clone() + anybody.get(&format!("/{script}")).await.text();
        for sink in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"]
        {
            assert!(!script.contains(sink), "{sink}");
        }
        // Every element it looks for is there, and every operation it asks exists.
        for found in script.split("at(\"").skip(1) {
            let id = found.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for path in operations {
            assert!(script.contains(&format!("\"{path}\"")), "{path}");
            assert!(document["paths"][format!("/api/v1/{path}")]["post"].is_object(), "{path}");
        }
    }
}

/// The name of the product is a setting, and is never HTML.
#[tokio::test]
async fn the_name_of_the_product_stands_on_every_page() {
    let own = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(own.path().join("de-CH")).unwrap();
    let server = Server::builder()
        .env("INSULA_PRODUCT_NAME", "Müller & <Sons>")
        .env("INSULA_MAIL_TEMPLATES", own.path().to_str().unwrap());
    let server = server.start().await;
    let anybody = server.client();
    for path in ["/verify", "/reset", "/accept", "/developers", "/problems", "/problems/not-found"] {
        let page = anybody.get(path).await;
        assert!(page.text().contains("Müller &amp; &lt;Sons&gt;"), "{path}");
        assert!(!page.text().contains("Insula") && !page.text().contains("{product}"), "{path}");
    }
    assert!(!anybody.get("/links/page.js").await.text().contains("Insula"));
    let config = anybody.get("/api/v1/auth/config").await;
    assert_eq!(config.header("x-insula-version"), Some(env!("CARGO_PKG_VERSION")));
    let config = config.expect(200);
    assert_eq!(
        (&config["product_name"], &config["locales"]),
        (&"Müller & <Sons>".into(), &serde_json::json!(["de-CH", "en"]))
    );
    server.client().register("ada@example.com").await;
    let mut mails = Vec::new();
    insula_tests::eventually("the e-mail", async || {
        mails = server.captured_emails("ada@example.com").await;
        !mails.is_empty()
    })
    .await;
    assert!(mails[0]["text"].as_str().unwrap().contains("Müller & <Sons>"), "{}", mails[0]);
    assert!(mails[0]["html"].as_str().unwrap().contains("Müller &amp; &lt;Sons&gt;"), "{}", mails[0]);
}
