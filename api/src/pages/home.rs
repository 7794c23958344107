//! `/`: what this is, and where to go. Mails lead here, and so does an accepted invitation.

use std::sync::Arc;

use poem::{Response, handler, web::Data};

use super::framed;
use crate::{
    VERSION,
    browser::csp::Policy,
    pages::{dev_inbox, docs},
    problem,
    state::State,
};

/// The page.
#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
pub(super) fn page(state: Data<&Arc<State>>) -> Response {
    let link = |path: &str, name: &str, about: &str| {
        format!("<li><a href=\"{}\">{name}</a>: {about}</li>\n", path.trim_start_matches('/'))
    };
    let mut links = [
        link(&format!("{}/", docs::PATH), "Documentation", "read about every operation, and try it"),
        link(&format!("{}/", docs::REFERENCE), "Reference", "the same on one page, for reading"),
        link("api/v1/openapi.json", "OpenAPI document", "for programs"),
        link(problem::PAGES, "Problems", "every error code, what it means and what to do"),
        link("readyz", "Status", "whether this service is ready"),
    ]
    .concat();
    if state.dev_mail.is_some() {
        links += &link(
            dev_inbox::PATH,
            "Mails",
            "this installation sends none, and shows them here (development)",
        );
    }
    let parts = format!(
        "<p>This is the service behind your organization’s application. It keeps organizations and their members, projects, tasks \
         and time.</p>\n\
         <p>If you came here from a mail, or have just accepted an invitation, there is nothing left to do on this page: log in to \
         the application that your organization uses.</p>\n\
         <h2>For developers</h2>\n<ul>\n{links}</ul>\n<p class=\"hint\">Version {VERSION}</p>\n"
    );
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .extension(Policy::Page)
        .body(framed("Welcome", "", &parts))
}
