//! Tokens that tell a page of ours from a forged request: a signed double submit bound to the session (OWASP, CSRF
//! prevention cheat sheet).

use crate::base::{
    crypto::{KeyPurpose, MacKey, MasterKey, random_bytes},
    ids::SessionId,
};

/// Random bytes of a token.
const RANDOM: usize = 16;

/// Makes CSRF tokens and verifies them: base64url of 16 random bytes and the HMAC of session and those.
#[derive(Clone)]
pub struct CsrfTokens(MacKey<32>);

impl CsrfTokens {
    /// With the key derived for them.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Csrf))
    }

    /// A token of a session; each call gives another one, and all stay good as long as the session.
    pub fn issue(&self, session: SessionId) -> String {
        self.0.sign_token(session.0, &random_bytes::<RANDOM>())
    }

    /// Is it a token of this session? In constant time.
    pub fn verify(&self, session: SessionId, token: &str) -> bool {
        self.0.verify_token(session.0, token).is_some()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_alone() {
        let tokens = CsrfTokens::new(&MasterKey::new("k".repeat(32)));
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (session, other) = (SessionId::new(now), SessionId::new(now));
        let token = tokens.issue(session);
        assert_ne!(token, tokens.issue(session));
        assert!(tokens.verify(session, &token) && !tokens.verify(other, &token));
        for bad in ["", "AAAA", &token[1..], &format!("{token}A")] {
            assert!(!tokens.verify(session, bad), "{bad}");
        }
        assert!(!CsrfTokens::new(&MasterKey::new("x".repeat(32))).verify(session, &token));
    }
}
