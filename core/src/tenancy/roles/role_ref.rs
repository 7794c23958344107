//! References to roles in requests: id or key.

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

/// A reference to a role in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRef {
    /// The id.
    Id(RoleId),
    /// The key.
    Key(String),
}

impl RoleRef {
    /// Parses a reference. A UUID in its canonical spelling is an id; a key is never a UUID.
    pub fn parse(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(id) if id.to_string() == text => Self::Id(RoleId(id)),
            _ => Self::Key(text.to_owned()),
        }
    }

    fn matches(&self, role: &Role) -> bool {
        match self {
            Self::Id(id) => role.id == *id,
            Self::Key(key) => role.key == *key,
        }
    }
}

/// Finds the role of a reference. `None` if it does not exist or is deleted.
pub(crate) async fn find<P: RequiredPermission>(tx: &OrgTx<P>, wanted: &RoleRef) -> Result<Option<Role>> {
    Ok(find_all(tx, std::slice::from_ref(wanted)).await?.into_iter().next())
}

/// Finds the roles of these references with their permissions, each role once. `field`: the field of the request.
///
/// # Errors
/// `VALIDATION_FAILED` for every role that does not exist or is deleted.
pub(crate) async fn resolve<P: RequiredPermission>(
    tx: &OrgTx<P>,
    field: &str,
    wanted: &[RoleRef],
) -> Result<Vec<RoleGrants>> {
    let roles = find_all(tx, wanted).await?;
    let mut fields = FieldErrors::default();
    for (index, wanted) in wanted.iter().enumerate() {
        if !roles.iter().any(|role| wanted.matches(role)) {
            fields.add(&format!("{field}[{index}]"), "UNKNOWN_REFERENCE", "There is no such role.");
        }
    }
    fields.into_result()?;
    let distinct: BTreeMap<_, _> = roles.into_iter().map(|role| (role.id, role)).collect();
    grants(tx, distinct.into_values().collect()).await
}

async fn find_all<P: RequiredPermission>(tx: &OrgTx<P>, wanted: &[RoleRef]) -> Result<Vec<Role>> {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for wanted in wanted {
        match wanted {
            RoleRef::Id(id) => ids.push(*id),
            RoleRef::Key(key) => keys.push(key.as_str()),
        }
    }
    let condition = Condition::any().add(Column::Id.is_in(ids)).add(Column::Key.is_in(keys));
    tx.find::<Entity>().filter(condition).all().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_keys_are_distinguished() {
        let id = "0190b3a0-0000-7000-8000-000000000001";
        assert_eq!(RoleRef::parse(id), RoleRef::Id(RoleId(id.parse().unwrap())));
        assert_eq!(RoleRef::parse(&id.to_uppercase()), RoleRef::Key(id.to_uppercase()));
        assert_eq!(RoleRef::parse("admin"), RoleRef::Key("admin".into()));
    }
}
