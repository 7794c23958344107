//! Content security policies (CSP Level 3) of all kinds of responses, in every mode.

use insula_core::runtime::config::CspMode;
use poem::{Response, http::HeaderValue};

/// The policy for a kind of response. A handler sets it as data of its response ([`Response::set_data`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Data: no scripts, no content and no requests.
    #[default]
    Data,
    /// A page of the product, or a part of one. It can load content from this origin only and send requests
    /// to this origin only. Text cannot become a script or markup (Trusted Types).
    Page,
    /// The web console, or a part of it. Like a page, and only Vue can create a Trusted Types policy.
    Console,
    /// An image or a style sheet of the operator. It can have its own styles, and nothing else. Pages of other
    /// origins can show it, because e-mails do.
    Image,
    /// The documentation page, or a part of it. Like a page, but its scripts can write markup.
    Docs,
    /// The reference page, or a part of it. Like the documentation page, but its scripts can write styles
    /// too.
    Reference,
    /// The development inbox. It runs no scripts, and shows each e-mail in a frame.
    Mailbox,
    /// An e-mail, which is untrusted content. It can have its own styles and links that open in another tab,
    /// and nothing else.
    Mail,
}

impl Policy {
    /// The policy of `response`.
    pub fn of(response: &Response) -> Self {
        response.data::<Self>().copied().unwrap_or_default()
    }

    /// Returns whether it is a page that must be isolated from pages that open it or that it opens.
    pub fn is_isolated(self) -> bool {
        matches!(self, Self::Page | Self::Console | Self::Docs | Self::Reference | Self::Mailbox)
    }

    /// The value of the header. `None`: no header is sent. Untrusted content is restricted in every mode.
    pub fn header(self, mode: CspMode) -> Option<HeaderValue> {
        let policy = match (self, mode) {
            (Self::Mail, _) => {
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
            }
            (_, CspMode::Disabled) => return None,
            (Self::Image, _) => {
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
            }
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
            (Self::Console, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; \
                 trusted-types vue"
            }
            (Self::Docs, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            // The hashes are those of the two style elements in the bundle of Redoc; see its README.
            (Self::Reference, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; \
                 style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
                 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; img-src 'self' data:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            (Self::Page | Self::Console | Self::Docs | Self::Reference, CspMode::Relaxed) => {
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                 img-src 'self' data: https:; connect-src 'self' https:; font-src 'self' data: https:; \
                 base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
            }
        };
        Some(HeaderValue::from_static(policy))
    }

    /// The value of `Cross-Origin-Resource-Policy` (Fetch, §3.6).
    pub fn resource_policy(self) -> &'static str {
        match self {
            Self::Image => "cross-origin",
            _ => "same-origin",
        }
    }

    /// The value of `X-Frame-Options` (RFC 7034), for browsers that do not support `frame-ancestors`. It has
    /// the same meaning as [`Policy::header`].
    pub fn frames(self, mode: CspMode) -> Option<HeaderValue> {
        let who = match (self, mode) {
            (Self::Mail, _) => "SAMEORIGIN",
            (_, CspMode::Disabled) => return None,
            (Self::Page | Self::Console | Self::Docs | Self::Reference, CspMode::Relaxed) => "SAMEORIGIN",
            _ => "DENY",
        };
        Some(HeaderValue::from_static(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_agree_on_frames() {
        use Policy::{Console, Data, Docs, Image, Mail, Mailbox, Page, Reference};
        for mode in [CspMode::Strict, CspMode::Relaxed, CspMode::Disabled] {
            for policy in [Data, Image, Page, Console, Docs, Reference, Mailbox, Mail] {
                let value = policy.header(mode);
                let value = value.as_ref().map(|value| value.to_str().unwrap());
                let expected = value.map(|value| match value.contains("frame-ancestors 'none'") {
                    true => "DENY",
                    false => "SAMEORIGIN",
                });
                let frames = policy.frames(mode);
                assert_eq!(
                    frames.as_ref().map(|frames| frames.to_str().unwrap()),
                    expected,
                    "{policy:?} {mode:?}"
                );
            }
        }
    }
}
