//! What a browser may do with an answer (CSP Level 3): every policy, in every mode.

use insula_core::config::CspMode;
use poem::{Response, http::HeaderValue};

/// What kind of thing an answer is to a browser. A handler says it in the data of its answer ([`Response::set_data`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Data: it runs, shows and asks nothing.
    #[default]
    Data,
    /// A page of the product, or a part of one: it runs and shows what this origin serves, and asks this origin only. No
    /// text becomes a script or markup (Trusted Types).
    Page,
    /// The documentation page, or a part of it: like a page, but its scripts write markup.
    Docs,
    /// The mailbox of development: it runs nothing, and shows mails in frames of their own.
    Mailbox,
    /// A mail is a stranger's document: it may have its own looks and links that open elsewhere, and nothing else.
    Mail,
}

impl Policy {
    /// That of `response`.
    pub fn of(response: &Response) -> Self {
        response.data::<Self>().copied().unwrap_or_default()
    }

    /// Is it a page that must not be held on to by those which open it, or which it opens?
    pub fn stands_alone(self) -> bool {
        matches!(self, Self::Page | Self::Docs | Self::Mailbox)
    }

    /// What the answer says; `None`: nothing. A stranger's document is kept in bounds in every mode.
    pub fn header(self, mode: CspMode) -> Option<HeaderValue> {
        let policy = match (self, mode) {
            (Self::Mail, _) => {
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
            }
            (_, CspMode::Disabled) => return None,
            (Self::Data, _) => "default-src 'none'; frame-ancestors 'none'",
            (Self::Mailbox, _) => {
                "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            }
            (Self::Page, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
            }
            (Self::Docs, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            (Self::Page | Self::Docs, CspMode::Relaxed) => {
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                 img-src 'self' data: https:; connect-src 'self' https:; font-src 'self' data: https:; \
                 base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
            }
        };
        Some(HeaderValue::from_static(policy))
    }
}
