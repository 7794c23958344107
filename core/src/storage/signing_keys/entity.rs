//! Rows of `signing_keys`: the private parts are wrapped, and leave this room only as a [`super::KeyPair`].

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::SigningKeyId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Published, so that everybody knows it before it signs.
    #[sea_orm(string_value = "next")]
    Next,
    /// Signs. There is one.
    #[sea_orm(string_value = "active")]
    Active,
    /// Signs no more; what it signed is still good.
    #[sea_orm(string_value = "retiring")]
    Retiring,
}

impl State {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}

/// One Ed25519 key.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SigningKeyId,
    /// `access`: signs access tokens; `audit`: signs audit logs.
    pub purpose: String,
    /// Its name in tokens: base64url of the first 8 bytes of the SHA-256 of its SPKI.
    pub kid: String,
    /// The public part (RFC 8032), 32 bytes.
    pub public: Vec<u8>,
    /// The private part, encrypted.
    pub(super) wrapped_private: Vec<u8>,
    /// Where it stands in its life.
    pub state: State,
    /// From when on it signs.
    pub activates_at: DateTimeUtc,
    /// When a retiring key is removed.
    pub expires_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

// Without the private part.
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
