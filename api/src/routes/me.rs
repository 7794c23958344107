//! `/users/me`: the person who is signed in.

use chrono::{DateTime, Utc};
use insula_core::users;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    caller::SignedIn,
    problem::Result,
    wire::{Email, EntityTag, Name, Tagged, Username},
};

pub struct Me;

/// A person with an account.
#[derive(Object, Serialize)]
pub(super) struct User {
    /// The person.
    id: Uuid,
    /// To log in with.
    email: Email,
    /// To log in with, too.
    #[oai(nullable)]
    username: Option<Username>,
    /// Given name.
    #[oai(nullable)]
    first_name: Option<Name>,
    /// Family name.
    #[oai(nullable)]
    last_name: Option<Name>,
    /// May the person log in?
    is_active: bool,
    /// Is it an operator of the platform?
    is_superuser: bool,
    /// When the mailbox was proved.
    #[oai(nullable)]
    email_verified_at: Option<DateTime<Utc>>,
    /// When the person last logged in.
    #[oai(nullable)]
    last_login_at: Option<DateTime<Utc>>,
    /// When the account was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

#[OpenApi(tag = "Tag::Me")]
impl Me {
    /// Look at myself
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn get(&self, me: SignedIn) -> Result<Tagged<User>> {
        Ok(Tagged::Present(EntityTag(me.user.version), me.user.into()))
    }
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        Self {
            id: user.id.0,
            email: Email(user.email),
            username: user.username.map(Username),
            first_name: user.first_name.map(Name),
            last_name: user.last_name.map(Name),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            email_verified_at: user.email_verified_at,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
