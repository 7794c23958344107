//! What a person says of himself.

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
        audit::{Action, Details},
        db::{Expected, GlobalTx},
    },
};

/// The first day of a person's week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeekStart {
    /// ISO 8601.
    Monday,
    /// As in much of the Arab world.
    Saturday,
    /// As in North America.
    Sunday,
}

impl WeekStart {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// The day that is stored so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Monday, Self::Saturday, Self::Sunday].into_iter().find(|day| day.as_str() == text)
    }
}

/// What is to change; `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChanges {
    /// Given name.
    pub first_name: Option<Option<Name>>,
    /// Family name.
    pub last_name: Option<Option<Name>>,
    /// Logs in with it; unique.
    pub username: Option<Option<Username>>,
    /// The language of what is written to him.
    pub locale: Option<Locale>,
    /// The time zone that times are shown in: a label, the data stay in UTC.
    pub timezone: Option<TimeZone>,
    /// The first day of his week.
    pub week_start: Option<WeekStart>,
    /// Where he works unless he says otherwise; cleared: where he has been for the longest time.
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

/// What an audit log may tell of an account.
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

/// Which names changed: the log outlives the person, so it does not tell them.
fn renamed(before: &User, after: &User) -> Vec<&'static str> {
    let names = [
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("username", before.username != after.username),
        ("email", before.email != after.email),
    ];
    names.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Changes a profile, and says what it did for the log. `None`: nothing changed, so neither did the version.
///
/// # Errors
/// `PRECONDITION_FAILED` when `expected` is not its version; `USERNAME_TAKEN`; `NotFound`.
pub(crate) async fn change(
    tx: &GlobalTx,
    user: UserId,
    changes: ProfileChanges,
    expected: &Expected,
) -> Result<(User, Option<(Action, Details)>)> {
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

/// Stores what is said of a person who is locked, and what an operator decides about him; says what differs, for the log.
/// `None`: nothing does.
///
/// # Errors
/// `EMAIL_TAKEN`, `USERNAME_TAKEN`.
pub(crate) async fn store(tx: &GlobalTx, before: &User, after: User) -> Result<Option<(User, Details)>> {
    if after == *before {
        return Ok(None);
    }
    if let Some(username) = &after.username_canonical
        && after.username_canonical != before.username_canonical
        // Asked before it is taken: two that exchange their names would wait for each other.
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
    let mut told = facts(&after);
    let renamed = renamed(before, &after);
    if !renamed.is_empty() {
        told["renamed"] = json!(renamed);
    }
    Ok(Some((after, Details::changed(facts(before), told))))
}
