//! Rows of `audit_personal`: what an event says of a person beyond an id. The chain covers only a salted hash of it, so that
//! a person can be forgotten and the chain stays whole.

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

/// What is personal of one event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_personal")]
pub struct Model {
    /// That of its event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Whose log; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// 16 random bytes, in hexadecimal: or an address could be found out by trying them all.
    pub salt: String,
    /// From which address.
    pub ip: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
    /// What the actor was called.
    pub label: Option<String>,
}

/// What the hash covers.
#[derive(Serialize)]
struct Covered<'a> {
    ip: Option<&'a str>,
    label: Option<&'a str>,
    user_agent: Option<&'a str>,
}

impl Model {
    /// What is personal of an event that comes from `origin`; `None`: nothing.
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

    /// SHA-256 of the salt and of the canonical JSON (RFC 8785) of the rest, in hexadecimal.
    ///
    /// # Errors
    /// Only when that has no JSON form.
    pub fn hash(&self) -> Result<String> {
        let (ip, label, user_agent) = (self.ip.as_deref(), self.label.as_deref(), self.user_agent.as_deref());
        let covered = canonical(&Covered { ip, label, user_agent })?;
        Ok(hex(&Sha256::new().chain_update(&self.salt).chain_update(covered).finalize()))
    }
}

// An event may be gone, and its personal data too.
without_relations!();

tenant_table!("audit event", deleted: None, affects_access: false);
