//! How requests name roles: by id or by key.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::{Column, Entity, Role, grants};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::RoleId,
        permissions::{RequiredPermission, RoleGrants},
    },
    storage::db::OrgTx,
};

/// A role, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRef {
    /// By id.
    Id(RoleId),
    /// By key.
    Key(String),
}

impl RoleRef {
    /// A UUID is an id; no key is one.
    pub fn parse(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(id) if id.to_string() == text => Self::Id(RoleId(id)),
            _ => Self::Key(text.to_owned()),
        }
    }

    fn names(&self, role: &Role) -> bool {
        match self {
            Self::Id(id) => role.id == *id,
            Self::Key(key) => role.key == *key,
        }
    }
}

/// The living role that is named so, where there is one.
pub(crate) async fn find<P: RequiredPermission>(tx: &OrgTx<P>, wanted: &RoleRef) -> Result<Option<Role>> {
    Ok(named(tx, std::slice::from_ref(wanted)).await?.into_iter().next())
}

/// The living roles that are named, each once, with what they allow. `field`: where they were named.
///
/// # Errors
/// `VALIDATION_FAILED` naming every one that is not there.
pub(crate) async fn resolve<P: RequiredPermission>(
    tx: &OrgTx<P>,
    field: &str,
    wanted: &[RoleRef],
) -> Result<Vec<RoleGrants>> {
    let roles = named(tx, wanted).await?;
    let mut fields = FieldErrors::default();
    for (place, wanted) in wanted.iter().enumerate() {
        if !roles.iter().any(|role| wanted.names(role)) {
            fields.add(&format!("{field}[{place}]"), "UNKNOWN_REFERENCE", "There is no such role.");
        }
    }
    fields.into_result()?;
    let distinct: BTreeMap<_, _> = roles.into_iter().map(|role| (role.id, role)).collect();
    grants(tx, distinct.into_values().collect()).await
}

async fn named<P: RequiredPermission>(tx: &OrgTx<P>, wanted: &[RoleRef]) -> Result<Vec<Role>> {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for wanted in wanted {
        match wanted {
            RoleRef::Id(id) => ids.push(*id),
            RoleRef::Key(key) => keys.push(key.as_str()),
        }
    }
    let named = Condition::any().add(Column::Id.is_in(ids)).add(Column::Key.is_in(keys));
    tx.find::<Entity>().filter(named).all().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_key_are_told_apart() {
        let id = "0190b3a0-0000-7000-8000-000000000001";
        assert_eq!(RoleRef::parse(id), RoleRef::Id(RoleId(id.parse().unwrap())));
        assert_eq!(RoleRef::parse(&id.to_uppercase()), RoleRef::Key(id.to_uppercase()));
        assert_eq!(RoleRef::parse("admin"), RoleRef::Key("admin".into()));
    }
}
