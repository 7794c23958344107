//! `/problems` and `/problems/{code}`: the meaning of every error code, and advice. The `type` of a problem links here
//! (RFC 9457 §3.1.1).

use std::sync::Arc;

use insula_core::base::error::ErrorCode;
use poem::{Request, Response, Route, error::NotFoundError, get, handler, web::Data};

use super::{inline_markup, page_without_scripts};
use crate::{
    problem::{PAGES, page_of, status},
    state::AppState,
};

/// Adds the pages to `outside`.
pub(super) fn add_routes(outside: Route) -> Route {
    outside.at(PAGES, get(all)).at(format!("{PAGES}/:name"), get(one))
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn all(state: Data<&Arc<AppState>>) -> Response {
    let mut parts = String::from(
        "<p>The API answers every error with problem details (RFC 9457). The member <code>error</code> is one of these codes:</p>\n<ul>\n",
    );
    for code in ErrorCode::ALL {
        let (page, title) = (page_of(*code), inline_markup(code.title()));
        parts += &format!(
            "<li><a href=\"{}\"><code>{}</code></a> {title} ({})</li>\n",
            page.trim_start_matches('/'),
            code.as_str(),
            status(code.kind()).as_u16()
        );
    }
    parts += "</ul>\n";
    page_without_scripts(&state, "Problems", "", &parts)
}

#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
fn one(request: &Request, state: Data<&Arc<AppState>>) -> poem::Result<Response> {
    let wanted = request.uri().path();
    let code = ErrorCode::ALL.iter().find(|code| page_of(**code) == wanted).ok_or(NotFoundError)?;
    let parts = format!(
        "<p><code>{}</code>, HTTP status {}</p>\n<h2>What it means</h2>\n<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n\
         <p><a href=\"../problems\">All problems</a></p>\n",
        code.as_str(),
        status(code.kind()).as_u16(),
        inline_markup(code.sentence()),
        inline_markup(code.advice()),
    );
    Ok(page_without_scripts(&state, code.title(), "../", &parts))
}
