//! The page for developers: what this service is, and links to its documentation. It is also the home page when the web
//! console is off; e-mails and accepted invitations link to the home page.

use std::sync::Arc;

use poem::{Response, handler, web::Data};

use super::page_without_scripts;
use crate::{
    VERSION,
    pages::{dev_inbox, docs},
    problem,
    state::AppState,
};

/// The path of the page, which stays the same with and without the console.
pub(super) const PATH: &str = "/developers";

/// Returns the page.
#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over")]
pub(super) fn page(state: Data<&Arc<AppState>>) -> Response {
    let link = |path: &str, name: &str, about: &str| {
        format!("<li><a href=\"{}\">{name}</a>: {about}</li>\n", path.trim_start_matches('/'))
    };
    let mut links = [
        link(&format!("{}/", docs::PATH), "Documentation", "read about every operation and try it"),
        link(&format!("{}/", docs::REFERENCE), "Reference", "all operations on one page"),
        link("api/v1/openapi.json", "OpenAPI document", "the API description for tools"),
        link(problem::PAGES, "Problems", "every error code, what it means and what to do"),
        link("readyz", "Status", "whether this service is ready"),
    ]
    .concat();
    if state.dev_mail.is_some() {
        links +=
            &link(dev_inbox::PATH, "Development inbox", "the e-mails of this installation, which sends none");
    }
    let parts = format!(
        "<p>This is the service behind your organization’s application. It manages organizations, their members, projects, tasks and \
         time entries.</p>\n\
         <p>If you came here from an e-mail or have just accepted an invitation, you do not need to do anything on this page. Log in to \
         the application that your organization uses.</p>\n\
         <h2>For developers</h2>\n<ul>\n{links}</ul>\n<p class=\"hint\">Version {VERSION}</p>\n"
    );
    page_without_scripts(&state, "Welcome", "", &parts)
}
