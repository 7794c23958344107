//! The logo and the accent colour of an installation, which are settings.

use insula_tests::{Reply, Server, eventually};

const SVG: &str = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><circle style=\"fill:#7a1f5c\" r=\"8\"/></svg>\n";
/// A PNG image of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa7\x9a\xa0\xa0\0\0\0\0IEND\xaeB`\x82";

/// A server with this logo and a dark red as accent colour.
async fn branded(folder: &std::path::Path, name: &str, logo: &[u8]) -> Server {
    let file = folder.join(name);
    std::fs::write(&file, logo).unwrap();
    let builder = Server::builder().env("INSULA_LOGO_FILE", file.to_str().unwrap());
    builder.env("INSULA_ACCENT_COLOR", "#7A1F5C").start().await
}

async fn config(server: &Server) -> serde_json::Value {
    server.client().get("/api/v1/auth/config").await.expect(200)
}

async fn welcome(server: &Server) -> String {
    server.client().register("ada@example.com").await;
    let mut mails = Vec::new();
    eventually("the e-mail", async || {
        mails = server.captured_emails("ada@example.com").await;
        !mails.is_empty()
    })
    .await;
    mails[0]["html"].as_str().unwrap().to_owned()
}

/// A file of the operator: it can be cached for ever, and runs nothing even if it is opened as a page.
fn assert_is_file(reply: &Reply, media_type: &str) {
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(media_type)));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));
    assert_eq!(
        reply.header("content-security-policy"),
        Some("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
    );
}

#[tokio::test]
async fn the_logo_and_the_accent_colour_are_on_every_page_and_in_emails() {
    let folder = tempfile::tempdir().unwrap();
    let server = branded(folder.path(), "logo.svg", SVG.as_bytes()).await;
    let anybody = server.client();
    let logo = config(&server).await["logo_path"].as_str().unwrap().to_owned();
    assert!(logo.starts_with("/brand/logo-") && logo.ends_with(".svg"), "{logo}");
    let reply = anybody.get(&logo).await;
    assert_is_file(&reply, "image/svg+xml");
    assert_eq!(reply.text(), SVG);

    let console = anybody.get("/login").await.text().to_owned();
    let colors = console.split("href=\"").find(|rest| rest.starts_with("/brand/colors-")).unwrap();
    let colors = colors.split('"').next().unwrap();
    assert!(console.contains(&format!("<link rel=\"icon\" href=\"{logo}\">")), "{console}");
    let reply = anybody.get(colors).await;
    assert_is_file(&reply, "text/css; charset=utf-8");
    // Readable as it is on light pages, and lighter on dark ones.
    assert_eq!(reply.text().matches("--accent: #7a1f5c;").count(), 1, "{}", reply.text());
    assert_eq!(reply.text().matches("--accent: #").count(), 3, "{}", reply.text());

    for (path, up) in [
        ("/verify", ""),
        ("/reset", ""),
        ("/accept", ""),
        ("/developers", ""),
        ("/problems", ""),
        ("/problems/not-found", "../"),
    ] {
        let page = anybody.get(path).await.text().to_owned();
        for part in [
            format!("<img class=\"logo\" src=\"{up}{}\" alt=\"\">", &logo[1..]),
            format!("<link rel=\"stylesheet\" href=\"{up}{}\">", &colors[1..]),
            format!("<link rel=\"icon\" href=\"{up}{}\">", &logo[1..]),
        ] {
            assert!(page.contains(&part), "{path}: {part} is not in {page}");
        }
    }
    assert!(anybody.get("/dev/mail").await.text().contains(&format!("href=\"..{colors}\"")));

    // Mail programs show no SVG.
    let html = welcome(&server).await;
    assert!(html.contains("#7a1f5c") && !html.contains("<img"), "{html}");
}

#[tokio::test]
async fn a_png_logo_is_in_emails_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = branded(folder.path(), "logo", PNG).await;
    let logo = config(&server).await["logo_path"].as_str().unwrap().to_owned();
    let reply = server.client().get(&logo).await;
    assert_is_file(&reply, "image/png");
    assert_eq!(&reply.body[..], PNG);
    let html = welcome(&server).await;
    let source = html.split("<img src=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(source.starts_with("http") && source.ends_with(&logo), "{source}");
}

#[tokio::test]
async fn without_them_pages_look_like_the_console() {
    let server = Server::shared().await;
    let anybody = server.client();
    for path in ["/verify", "/accept", "/developers"] {
        let page = anybody.get(path).await.text().to_owned();
        assert!(page.contains("<svg class=\"logo\"") && !page.contains("brand/"), "{path}: {page}");
    }
    assert!(!anybody.get("/login").await.text().contains("/brand/"));
    let style = anybody.get("/links/links.css").await.text().to_owned();
    let font = style.split("url(..").nth(1).unwrap().split(')').next().unwrap();
    assert_eq!(anybody.get(font).await.header("content-type"), Some("font/woff2"));
    for path in ["/brand/", "/brand/logo.svg", "/brand/logo-0000000000000000.svg"] {
        anybody.get(path).await.problem(404, "NOT_FOUND");
    }
    // Without the console, nothing of it is needed.
    let server = Server::builder().env("INSULA_CONSOLE", "false").start().await;
    let page = server.client().get("/verify").await.text().to_owned();
    assert!(!page.contains("theme.js") && !page.contains("data-console"), "{page}");
    assert!(!server.client().get("/links/links.css").await.text().contains("url("));
}
