//! `/users/me/organizations`: the memberships of the signed-in user.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::tenancy::members;
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{Tag, members::RoleSummary, organizations::Organization};
use crate::{
    auth::extractors::SignedIn,
    http::{Cursor, Limit, ListRequest, ListSort, PageResponse},
    problem::Result,
    state::AppState,
};

pub struct MyOrganizationsApi(pub Arc<AppState>);

/// Your membership in one organization.
#[derive(Object, Serialize)]
#[oai(rename = "Membership")]
pub(super) struct MyMembership {
    /// Your member id in the organization.
    member_id: Uuid,
    /// The organization that you are a member of.
    organization: Organization,
    /// Your roles in the organization.
    roles: Vec<RoleSummary>,
    /// Status of your membership.
    status: MembershipStatus,
    /// When you joined the organization.
    joined_at: DateTime<Utc>,
}

/// Status of a membership.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum MembershipStatus {
    /// The member can do what their roles allow.
    Active,
    /// The member cannot do anything until they are reactivated.
    Suspended,
}

#[OpenApi(tag = "Tag::Me")]
impl MyOrganizationsApi {
    /// List your organizations
    ///
    /// Returns your memberships with the organizations and your roles, oldest membership first. Suspended
    /// memberships are included.
    #[oai(path = "/users/me/organizations", method = "get", operation_id = "listMyOrganizations")]
    async fn list(
        &self,
        request: &Request,
        me: SignedIn,
        /// Maximum number of items per page.
        limit: Query<Option<Limit>>,
        /// `next_cursor` of the previous page. Without it, the first page is returned.
        cursor: Query<Option<Cursor>>,
    ) -> Result<PageResponse<MyMembership>> {
        let oldest_first = ListSort::ascending(());
        let paging =
            ListRequest::new(&self.0.cursors, request, me.user.id, (limit.0, oldest_first, cursor.0))?;
        let page = members::list_mine(&self.0.db, me.user.id, paging.listing.clone()).await?;
        Ok(paging.reply(page, MyMembership::from))
    }
}

impl From<members::UserMembership> for MyMembership {
    fn from(mine: members::UserMembership) -> Self {
        Self {
            member_id: mine.member.0,
            organization: mine.organization.into(),
            roles: mine.roles.into_iter().map(RoleSummary::from).collect(),
            status: match mine.status == members::ACTIVE {
                true => MembershipStatus::Active,
                false => MembershipStatus::Suspended,
            },
            joined_at: mine.joined_at,
        }
    }
}
