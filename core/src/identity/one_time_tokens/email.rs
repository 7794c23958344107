//! What the settings say of mail, and how a mailed token is made.

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

/// How mailboxes are proved on this installation. Cheap to clone.
#[derive(Clone)]
pub struct EmailTokens {
    key: MacKey<32>,
    /// Does anything send mail? Where nothing does, accounts verify themselves.
    pub is_configured: bool,
    /// Is it hidden which addresses have an account?
    pub hides_accounts: bool,
    verify: Duration,
    reset: Duration,
    email: Duration,
    undo: Duration,
    invitation: Duration,
}

impl EmailTokens {
    /// As the settings say, with the key derived for mails.
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

    /// Itself where new addresses must be proved, which needs mail.
    pub fn to_prove(&self) -> Option<&Self> {
        self.is_configured.then_some(self)
    }

    /// What a mailbox is counted by where others may read it: 32 hexadecimal digits that only the key can make.
    pub fn pseudonym(&self, mailbox: &str) -> String {
        let canonical = EmailAddress::parse(mailbox).map(|address| address.key().to_owned());
        let tag = self.key.tag(canonical.as_deref().unwrap_or(mailbox).as_bytes());
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

    /// Base64url of the id and 32 bytes that only the key can make: so the row alone, which is all that is stored, is
    /// enough to write the mail, and not enough to use it.
    pub(super) fn token(&self, purpose: TokenPurpose, id: OneTimeTokenId) -> Secret<String> {
        let id = id.0.as_bytes();
        let proof = self.key.tag(&[purpose.as_str().as_bytes(), id].concat());
        Secret::new(URL_SAFE_NO_PAD.encode([&id[..], &proof[..]].concat()))
    }

    /// The token of a row, for the mail that carries it. `None` when it can be used no more: it was made with another
    /// key.
    pub fn token_for(&self, row: &OneTimeToken) -> Option<Secret<String>> {
        let token = self.token(row.purpose()?, row.id);
        (row.token_hash == hash(token.expose())).then_some(token)
    }

    /// What is mailed: an address below `public_url`, with the token in its fragment, which no server and no log sees.
    pub fn link(&self, public_url: &str, row: &OneTimeToken) -> Option<Secret<String>> {
        let place = match row.purpose()? {
            TokenPurpose::Verify | TokenPurpose::Email => "verify#token",
            TokenPurpose::Reset => "reset#token",
            TokenPurpose::Undo => "verify#undo",
            TokenPurpose::Invitation => "accept#token",
        };
        let token = self.token_for(row)?;
        Some(Secret::new(format!("{}/{place}={}", public_url.trim_end_matches('/'), token.expose())))
    }
}

/// What is stored of a token. It has 256 random-looking bits: nothing slower than SHA-256 is needed (ASVS 5.0 11.4).
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
    fn a_token_is_the_id_and_a_proof_of_key_and_purpose() {
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
    fn a_link_carries_its_token_in_the_fragment() {
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
