//! Rows of `signing_keys`. Private keys are encrypted, and other modules only get them as a [`super::KeyPair`].

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::SigningKeyId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum KeyState {
    /// Published, so that verifiers know the key before it signs.
    #[sea_orm(string_value = "next")]
    Next,
    /// The key signs. There is at most one active key.
    #[sea_orm(string_value = "active")]
    Active,
    /// The key no longer signs, but its signatures are still valid.
    #[sea_orm(string_value = "retiring")]
    Retiring,
}

impl KeyState {
    /// The state in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}

/// An Ed25519 key.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    /// Id of the row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SigningKeyId,
    /// `access` for access tokens, `audit` for audit logs.
    pub purpose: String,
    /// Key id in tokens: base64url of the first 8 bytes of the SHA-256 of its SPKI.
    pub kid: String,
    /// Public key (RFC 8032), 32 bytes.
    pub public: Vec<u8>,
    /// Encrypted private key.
    pub(super) wrapped_private: Vec<u8>,
    /// State of the key.
    pub state: KeyState,
    /// When the key starts to sign.
    pub activates_at: DateTimeUtc,
    /// When a retiring key is deleted.
    pub expires_at: Option<DateTimeUtc>,
    /// When the key was created.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

// Without the private key.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("purpose", &self.purpose)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "signing key";
}
