//! The development inbox at `/dev/mail`. It shows the e-mails of an installation without a transport, so that their
//! links can be opened.

use std::{fmt::Write, sync::Arc};

use chrono::SecondsFormat;
use insula_core::{
    base::error::ErrorCode,
    storage::emails::{CapturedEmail, DevInbox},
};
use poem::{
    IntoResponse, Request, Response, Route, get, handler,
    http::header,
    web::{Data, Json, Path},
};
use serde_json::json;

use crate::{
    browser::{
        branding::{Branding, escaped},
        csp::Policy,
    },
    problem::{Problem, Result},
    state::AppState,
};

/// The path of the development inbox.
pub const PATH: &str = "/dev/mail";

const STYLE: &str = include_str!("dev_mail.css");

/// Adds the development inbox to `outside`. It answers 404 when e-mail is sent, and in production.
pub fn add_routes(outside: Route) -> Route {
    outside.at(PATH, get(all)).at("/dev/mail/:id", get(one)).at("/dev/mail.css", get(style))
}

fn kept(state: &AppState) -> Result<&DevInbox> {
    state.dev_mail.as_ref().ok_or(Problem(ErrorCode::NotFound.refuse()))
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn all(state: Data<&Arc<AppState>>, request: &Request) -> Result<Response> {
    let mails = kept(&state)?.list();
    let accepted = request.header(header::ACCEPT).unwrap_or_default();
    if accepted.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "application/json")
    {
        let data: Vec<_> = mails.iter().map(|mail| email_json(mail)).collect();
        return Ok(Json(json!({ "data": data })).with_header(header::VARY, "Accept").into_response());
    }
    Ok(Response::builder()
        .content_type("text/html; charset=utf-8")
        .extension(Policy::Mailbox)
        .header(header::VARY, "Accept")
        .body(page(&state.branding, &mails)))
}

/// The HTML part of one e-mail, for the frame that shows it.
#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn one(state: Data<&Arc<AppState>>, Path(id): Path<String>) -> Result<Response> {
    let mails = kept(&state)?.list();
    let mail = mails.into_iter().find(|mail| mail.id.to_string() == id);
    let mail = mail.ok_or(Problem(ErrorCode::NotFound.refuse()))?;
    Ok(Response::builder()
        .content_type("text/html; charset=utf-8")
        .extension(Policy::Mail)
        .body(mail.html.clone()))
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn style(state: Data<&Arc<AppState>>) -> Result<Response> {
    kept(&state)?;
    Ok(Response::builder().content_type("text/css; charset=utf-8").body(STYLE))
}

fn email_json(mail: &CapturedEmail) -> serde_json::Value {
    json!({
        "id": mail.id,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "message_id": mail.message_id,
        "sent_at": mail.sent_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

/// The page: one collapsed entry per e-mail, with its text as links and its HTML part in a frame.
fn page(branding: &Branding, mails: &[Arc<CapturedEmail>]) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Development inbox</title>\n\
         <link rel=\"stylesheet\" href=\"mail.css\">\n",
    );
    page.push_str(&branding.head("../"));
    page.push_str(
        "</head>\n<body>\n<main>\n<h1>Development inbox</h1>\n\
         <p>This installation does not send e-mail. The newest e-mails are shown here. <a href=\"mail\">Refresh</a></p>\n",
    );
    if mails.is_empty() {
        page.push_str("<p class=\"none\">No e-mails yet.</p>\n");
    }
    for mail in mails {
        // Writing to a String cannot fail.
        write!(
            page,
            "<details class=\"mail\">\n<summary><span>{subject}</span> <span class=\"to\">{to}</span> \
             <time>{at}</time></summary>\n<pre>{text}</pre>\n\
             <details><summary>HTML version</summary>\n<iframe title=\"{subject}\" loading=\"lazy\" \
             sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"mail/{id}\"></iframe></details>\n</details>\n",
            subject = escaped(&mail.subject),
            to = escaped(&mail.to),
            at = mail.sent_at.format("%Y-%m-%d %H:%M:%S UTC"),
            text = link_urls(&mail.text),
            id = mail.id,
        )
        .unwrap_or_default();
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The text as HTML, with its URLs as links.
fn link_urls(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let address = word.trim_end().trim_end_matches(['.', ',']);
            let is_address = address.starts_with("https://") || address.starts_with("http://");
            let rest = escaped(&word[address.len()..]);
            let address = escaped(address);
            match is_address {
                true => {
                    format!("<a href=\"{address}\" target=\"_blank\" rel=\"noopener\">{address}</a>{rest}")
                }
                false => format!("{address}{rest}"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use insula_core::{
        base::{clock::Clock, ids::JobId},
        runtime::config::{Config, Sources},
    };

    use super::*;

    #[test]
    fn an_email_is_never_treated_as_a_page_of_this_server() {
        let now = Clock::System.now();
        let mail = CapturedEmail {
            id: JobId::new(now),
            to: "ada@example.com".into(),
            subject: "<b>\"&".into(),
            text: "<script>alert(1)</script>\n    http://127.0.0.1:8080/verify#token=a-_b\nsee https://x.example/a.\n"
                .into(),
            html: "<p>hello</p>".into(),
            message_id: "<1@localhost>".into(),
            sent_at: now,
        };
        let branding = Branding::of(&Config::read(&Sources::only(&[])).unwrap());
        let page = page(&branding, &[Arc::new(mail)]);
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"),
            "{page}"
        );
        assert!(page.contains("<span>&lt;b&gt;&quot;&amp;</span>"), "{page}");
        assert!(page.contains("<a href=\"http://127.0.0.1:8080/verify#token=a-_b\" target"), "{page}");
        assert!(
            page.contains("<a href=\"https://x.example/a\" target") && page.contains("</a>.\n"),
            "{page}"
        );
        // Only shown in its frame.
        assert!(!page.contains("<p>hello</p>"), "{page}");
    }
}
