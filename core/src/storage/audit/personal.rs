//! Rows of `audit_personal`: the personal data of events, other than user ids. The chain only covers a salted hash of
//! it, so personal data can be erased without breaking the chain.

use sea_orm::entity::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::canonical;
use crate::{
    Result,
    base::{
        crypto::{hex, random_bytes},
        ids::{EventId, OrgId},
        permissions::AuditOrigin,
    },
    storage::db::{tenant_table, without_relations},
};

/// The personal data of one event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_personal")]
pub struct Model {
    /// Id of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Organization that the log belongs to, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// 16 random bytes, in hexadecimal. Without a salt, an IP address could be found by hashing all of them.
    pub salt: String,
    /// IP address of the client.
    pub ip: Option<String>,
    /// User agent of the client.
    pub user_agent: Option<String>,
    /// E-mail address of the actor at that time.
    pub label: Option<String>,
}

/// The data that the hash covers.
#[derive(Serialize)]
struct Covered<'a> {
    ip: Option<&'a str>,
    label: Option<&'a str>,
    user_agent: Option<&'a str>,
}

impl Model {
    /// The personal data of an event from `origin`; `None` if there is none.
    pub(super) fn of(event: EventId, origin: &AuditOrigin) -> Option<Self> {
        let inquiry = &origin.inquiry;
        let personal = Self {
            id: event,
            organization_id: OrgId::PLATFORM,
            salt: hex(&random_bytes::<16>()),
            ip: inquiry.ip.clone(),
            user_agent: inquiry.user_agent.clone(),
            label: origin.label.clone(),
        };
        let is_known = personal.ip.is_some() || personal.user_agent.is_some() || personal.label.is_some();
        is_known.then_some(personal)
    }

    /// SHA-256 of the salt and the canonical JSON (RFC 8785) of the other columns, in hexadecimal.
    ///
    /// # Errors
    /// Only if they have no JSON form.
    pub fn hash(&self) -> Result<String> {
        let (ip, label, user_agent) = (self.ip.as_deref(), self.label.as_deref(), self.user_agent.as_deref());
        let covered = canonical(&Covered { ip, label, user_agent })?;
        Ok(hex(&Sha256::new().chain_update(&self.salt).chain_update(covered).finalize()))
    }
}

// Events and their personal data can be deleted separately.
without_relations!();

tenant_table!("audit event", deleted: None, affects_access: false);
