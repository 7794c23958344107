//! E-mail settings, and the creation of e-mailed tokens.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{OneTimeToken, TokenPurpose};
use crate::{
    base::{
        crypto::{self, MacKey, MasterKey, Secret},
        ids::OneTimeTokenId,
        text::EmailAddress,
    },
    runtime::config::Config,
};

/// How this installation verifies e-mail addresses. Cheap to clone.
#[derive(Clone)]
pub struct EmailTokens {
    key: MacKey<32>,
    /// Whether e-mail is configured. Without it, new accounts count as verified.
    pub is_configured: bool,
    /// Whether responses hide which e-mail addresses have an account.
    pub hides_accounts: bool,
    verify: Duration,
    reset: Duration,
    email: Duration,
    undo: Duration,
    invitation: Duration,
}

impl EmailTokens {
    /// Reads the settings and derives the key for e-mails.
    pub fn new(master: &MasterKey, config: &Config) -> Self {
        Self {
            key: MacKey::derive(master, crypto::KeyPurpose::Email),
            is_configured: config.sends_mail(),
            hides_accounts: config.hides_existing_accounts(),
            verify: config.verify_ttl,
            reset: config.reset_ttl,
            email: config.email_change_ttl,
            undo: config.email_undo_ttl,
            invitation: config.invitation_ttl,
        }
    }

    /// Returns `self` if new e-mail addresses must be verified, which needs e-mail.
    pub fn if_configured(&self) -> Option<&Self> {
        self.is_configured.then_some(self)
    }

    /// Returns the pseudonym of an e-mail address for counters that others may read: 32 hexadecimal digits that only
    /// the key can produce.
    pub fn pseudonym(&self, email: &str) -> String {
        let canonical = EmailAddress::parse(email).map(|email| email.key().to_owned());
        let tag = self.key.tag(canonical.as_deref().unwrap_or(email).as_bytes());
        crypto::hex(&tag[..16])
    }

    pub(super) fn lifetime(&self, purpose: TokenPurpose) -> Duration {
        match purpose {
            TokenPurpose::Verify => self.verify,
            TokenPurpose::Reset => self.reset,
            TokenPurpose::Email => self.email,
            TokenPurpose::Undo => self.undo,
            TokenPurpose::Invitation => self.invitation,
        }
    }

    /// Returns base64url of the id and 32 bytes that only the key can produce. So the stored row and the key are enough
    /// to write the e-mail, and the row alone is not enough to use the token.
    pub(super) fn token(&self, purpose: TokenPurpose, id: OneTimeTokenId) -> Secret<String> {
        let id = id.0.as_bytes();
        let proof = self.key.tag(&[purpose.as_str().as_bytes(), id].concat());
        Secret::new(URL_SAFE_NO_PAD.encode([&id[..], &proof[..]].concat()))
    }

    /// Returns the token of a row, for its e-mail. `None` if it was created with another key, so that it is no longer
    /// valid.
    pub fn token_for(&self, row: &OneTimeToken) -> Option<Secret<String>> {
        let token = self.token(row.purpose()?, row.id);
        (row.token_hash == hash(token.expose())).then_some(token)
    }

    /// Returns the link for the e-mail: a URL below `public_url` with the token in its fragment. Browsers do not send the
    /// fragment, so the token gets into no log.
    pub fn link(&self, public_url: &str, row: &OneTimeToken) -> Option<Secret<String>> {
        let path = match row.purpose()? {
            TokenPurpose::Verify | TokenPurpose::Email => "verify#token",
            TokenPurpose::Reset => "reset#token",
            TokenPurpose::Undo => "verify#undo",
            TokenPurpose::Invitation => "accept#token",
        };
        let token = self.token_for(row)?;
        Some(Secret::new(format!("{}/{path}={}", public_url.trim_end_matches('/'), token.expose())))
    }
}

/// Returns the stored hash of a token. A token has 256 unpredictable bits, so SHA-256 is enough (ASVS 5.0 11.4).
pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::config::Sources;

    fn mail(key: &str) -> EmailTokens {
        let config = Config::read(&Sources::only(&[("INSULA_SMTP_URL", "smtp://localhost")])).unwrap();
        EmailTokens::new(&MasterKey::new(key.repeat(32)), &config)
    }

    fn row(mail: &EmailTokens, purpose: TokenPurpose) -> OneTimeToken {
        let now = chrono::DateTime::from_timestamp_micros(1_790_000_000_000_123).unwrap();
        let id = OneTimeTokenId::new(now);
        OneTimeToken {
            id,
            user_id: None,
            email: "ada@example.com".into(),
            email_canonical: "ada@example.com".into(),
            purpose: purpose.as_str().into(),
            subject_id: None,
            token_hash: hash(mail.token(purpose, id).expose()),
            used_at: None,
            expires_at: now,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn a_token_is_the_id_and_a_mac_of_id_and_purpose() {
        let (a, b) = (mail("a"), mail("b"));
        let row = row(&a, TokenPurpose::Reset);
        let token = a.token_for(&row).unwrap().expose().clone();
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert_eq!((bytes.len(), &bytes[..16]), (48, &row.id.0.as_bytes()[..]));
        assert_eq!(token, *a.token(TokenPurpose::Reset, row.id).expose());
        assert_ne!(token, *a.token(TokenPurpose::Undo, row.id).expose());
        assert!(b.token_for(&row).is_none());
    }

    #[test]
    fn a_link_has_its_token_in_the_fragment() {
        let mail = mail("a");
        for (purpose, start) in [
            (TokenPurpose::Verify, "https://insula.example/verify#token="),
            (TokenPurpose::Email, "https://insula.example/verify#token="),
            (TokenPurpose::Reset, "https://insula.example/reset#token="),
            (TokenPurpose::Undo, "https://insula.example/verify#undo="),
            (TokenPurpose::Invitation, "https://insula.example/accept#token="),
        ] {
            let row = row(&mail, purpose);
            let token = mail.token_for(&row).unwrap().expose().clone();
            let link = mail.link("https://insula.example/", &row).unwrap();
            assert_eq!(*link.expose(), format!("{start}{token}"));
        }
    }
}
