//! What a browser may do with an answer (CSP Level 3): every policy, in every mode.

use insula_core::runtime::config::CspMode;
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
    /// The reference page, or a part of it: like the documentation page, but its scripts write styles too.
    Reference,
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
        matches!(self, Self::Page | Self::Docs | Self::Reference | Self::Mailbox)
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
            // The hashes are those of the two style elements of Redoc's bundle; its README says more.
            (Self::Reference, CspMode::Strict) => {
                "default-src 'none'; script-src 'self'; \
                 style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
                 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; img-src 'self' data:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            (Self::Page | Self::Docs | Self::Reference, CspMode::Relaxed) => {
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                 img-src 'self' data: https:; connect-src 'self' https:; font-src 'self' data: https:; \
                 base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
            }
        };
        Some(HeaderValue::from_static(policy))
    }

    /// Who may show the answer in a frame, for browsers that know no `frame-ancestors` (RFC 7034): the same as
    /// [`Policy::header`] says.
    pub fn frames(self, mode: CspMode) -> Option<HeaderValue> {
        let who = match (self, mode) {
            (Self::Mail, _) => "SAMEORIGIN",
            (_, CspMode::Disabled) => return None,
            (Self::Page | Self::Docs | Self::Reference, CspMode::Relaxed) => "SAMEORIGIN",
            _ => "DENY",
        };
        Some(HeaderValue::from_static(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_say_the_same_of_frames() {
        use Policy::{Data, Docs, Mail, Mailbox, Page, Reference};
        for mode in [CspMode::Strict, CspMode::Relaxed, CspMode::Disabled] {
            for policy in [Data, Page, Docs, Reference, Mailbox, Mail] {
                let said = policy.header(mode);
                let said = said.as_ref().map(|said| said.to_str().unwrap());
                let expected = said.map(|said| match said.contains("frame-ancestors 'none'") {
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
