//! CSRF tokens: a signed double-submit token that is bound to the session (OWASP, CSRF prevention cheat sheet).

use crate::base::{
    crypto::{KeyPurpose, MacKey, MasterKey, random_bytes},
    ids::SessionId,
};

/// Number of random bytes in a token.
const RANDOM: usize = 16;

/// Creates and verifies CSRF tokens: base64url of 16 random bytes and the HMAC of the session and these bytes.
#[derive(Clone)]
pub struct CsrfTokens(MacKey<32>);

impl CsrfTokens {
    /// Derives the key for CSRF tokens.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Csrf))
    }

    /// Returns a token of a session. Each call returns another token; all are valid as long as the session.
    pub fn issue(&self, session: SessionId) -> String {
        self.0.sign_token(session.0, &random_bytes::<RANDOM>())
    }

    /// Returns whether it is a token of this session, in constant time.
    pub fn verify(&self, session: SessionId, token: &str) -> bool {
        self.0.verify_token(session.0, token).is_some()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_token_is_valid_only_for_its_session() {
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
