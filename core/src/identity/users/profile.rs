//! Profiles of users.

use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

use super::{User, entity::ActiveModel};
use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::{OrgId, UserId},
        text::{Locale, Name, TimeZone, Username},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, GlobalTx},
    },
};

/// The first day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeekStart {
    /// As in ISO 8601.
    Monday,
    /// As in much of the Arab world.
    Saturday,
    /// As in North America.
    Sunday,
}

impl WeekStart {
    /// Returns the stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// Parses the stored spelling. `None` if it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Monday, Self::Saturday, Self::Sunday].into_iter().find(|day| day.as_str() == text)
    }
}

/// Changes of a profile. `None` leaves a field as it is; `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChanges {
    /// Given name.
    pub first_name: Option<Option<Name>>,
    /// Family name.
    pub last_name: Option<Option<Name>>,
    /// Username for logins; unique.
    pub username: Option<Option<Username>>,
    /// The language of e-mails to the user.
    pub locale: Option<Locale>,
    /// The time zone for displayed times. Stored times stay in UTC.
    pub timezone: Option<TimeZone>,
    /// The first day of the week.
    pub week_start: Option<WeekStart>,
    /// The default organization. When cleared, it is the one with the oldest membership.
    pub default_organization: Option<Option<OrgId>>,
}

impl ProfileChanges {
    pub(crate) fn apply(self, user: &mut User) {
        if let Some(name) = self.first_name {
            user.first_name = name.map(Into::into);
        }
        if let Some(name) = self.last_name {
            user.last_name = name.map(Into::into);
        }
        if let Some(name) = self.username {
            user.username_canonical = name.as_ref().map(Username::key);
            user.username = name.map(Into::into);
        }
        if let Some(locale) = self.locale {
            user.locale = locale.into();
        }
        if let Some(timezone) = self.timezone {
            user.timezone = timezone.into();
        }
        if let Some(day) = self.week_start {
            day.as_str().clone_into(&mut user.week_start);
        }
        if let Some(organization) = self.default_organization {
            user.default_organization_id = organization;
        }
    }
}

/// Returns the values of an account for the audit log, without personal data.
fn facts(user: &User) -> Value {
    json!({
        "is_superuser": user.is_superuser,
        "email_verified": user.email_verified_at.is_some(),
        "locale": user.locale,
        "timezone": user.timezone,
        "week_start": user.week_start,
        "default_organization_id": user.default_organization_id,
    })
}

/// Returns which names changed. The audit log contains only their fields, because it outlives the account.
fn renamed(before: &User, after: &User) -> Vec<&'static str> {
    let names = [
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("username", before.username != after.username),
        ("email", before.email != after.email),
    ];
    names.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Updates a profile. Returns the event for the audit log, or `None` if nothing changed; then the version stays too.
///
/// # Errors
/// `PRECONDITION_FAILED` when `expected` is not the current version; `USERNAME_TAKEN`; `NotFound`.
pub(crate) async fn update(
    tx: &GlobalTx,
    user: UserId,
    changes: ProfileChanges,
    expected: &ExpectedVersion,
) -> Result<(User, Option<(Action, EventDetails)>)> {
    let before = super::lock(tx, user).await?;
    expected.check(&before.version)?;
    let mut after = before.clone();
    changes.apply(&mut after);
    let stored = store(tx, &before, after).await?;
    Ok(match stored {
        Some((after, details)) => (after, Some((Action::UserUpdated, details))),
        None => (before, None),
    })
}

/// Stores the changed row of a locked user. Returns the differences for the audit log, or `None` if there are none.
///
/// # Errors
/// `EMAIL_TAKEN`, `USERNAME_TAKEN`.
pub(crate) async fn store(tx: &GlobalTx, before: &User, after: User) -> Result<Option<(User, EventDetails)>> {
    if after == *before {
        return Ok(None);
    }
    if let Some(username) = &after.username_canonical
        && after.username_canonical != before.username_canonical
        // The check comes first: otherwise two users who swap usernames would wait for each other in the unique index.
        && super::is_username_taken(tx, username).await?
    {
        return Err(ErrorCode::UsernameTaken.refuse());
    }
    let row = ActiveModel {
        id: Set(before.id),
        email: Set(after.email),
        email_canonical: Set(after.email_canonical),
        email_verified_at: Set(after.email_verified_at),
        is_superuser: Set(after.is_superuser),
        first_name: Set(after.first_name),
        last_name: Set(after.last_name),
        username: Set(after.username),
        username_canonical: Set(after.username_canonical),
        locale: Set(after.locale),
        timezone: Set(after.timezone),
        week_start: Set(after.week_start),
        default_organization_id: Set(after.default_organization_id),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let after = tx.update(row).await?;
    let mut after_facts = facts(&after);
    let renamed = renamed(before, &after);
    if !renamed.is_empty() {
        after_facts["renamed"] = json!(renamed);
    }
    Ok(Some((after, EventDetails::changed(facts(before), after_facts))))
}
