//! `/users/me/organizations`: where the person who is signed in belongs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{base::pagination::Sort, tenancy::members};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, param::Query};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{Tag, members::RoleSummary, organizations::Organization};
use crate::{
    auth::extractors::SignedIn,
    http::{Cursor, Limit, ListRequest, PageResponse},
    problem::Result,
    state::State,
};

pub struct MyOrganizationsApi(pub Arc<State>);

/// A person's place in one organization.
#[derive(Object, Serialize)]
struct Membership {
    /// The membership.
    member_id: Uuid,
    /// The organization.
    organization: Organization,
    /// The roles he holds there.
    roles: Vec<RoleSummary>,
    /// Can he do anything there?
    status: MembershipStatus,
    /// Since when.
    joined_at: DateTime<Utc>,
}

/// Can a member do anything?
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum MembershipStatus {
    /// What his roles allow.
    Active,
    /// Nothing, until he is brought back.
    Suspended,
}

#[OpenApi(tag = "Tag::Me")]
impl MyOrganizationsApi {
    /// List my organizations
    ///
    /// The one I joined first comes first.
    #[oai(path = "/users/me/organizations", method = "get", operation_id = "listMyOrganizations")]
    async fn list(
        &self,
        request: &Request,
        me: SignedIn,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
    ) -> Result<PageResponse<Membership>> {
        let list = format!("listMyOrganizations {}", me.user.id);
        let oldest_first = Sort { key: (), descending: false };
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, oldest_first, cursor.0))?;
        let page = members::list_mine(&self.0.db, me.user.id, paging.listing.clone()).await?;
        Ok(paging.reply(page, Membership::from))
    }
}

impl From<members::UserMembership> for Membership {
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
