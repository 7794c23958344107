//! `/users/me/activity`: the audit events of the current user, and failed logins to their account.

use std::sync::Arc;

use insula_core::tenancy::members;
use poem::Request;
use poem_openapi::{OpenApi, param::Query};

use super::{super::Tag, AuditEvent, NEWEST_FIRST};
use crate::{
    auth::extractors::SignedIn,
    http::{Cursor, Limit, ListRequest, PageResponse},
    problem::Result,
    state::AppState,
};

pub struct ActivityApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Me")]
impl ActivityApi {
    /// List your activity
    ///
    /// Returns what you did in the organizations you are a member of and outside of organizations, and failed
    /// logins to your account. Newest first.
    #[oai(path = "/users/me/activity", method = "get", operation_id = "listMyActivity")]
    async fn list(
        &self,
        request: &Request,
        me: SignedIn,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
    ) -> Result<PageResponse<AuditEvent>> {
        let paging =
            ListRequest::new(&self.0.cursors, request, me.user.id, (limit.0, NEWEST_FIRST, cursor.0))?;
        let page = members::activity(&self.0.db, me.user.id, paging.listing.clone()).await?;
        Ok(paging.reply(page, AuditEvent::from))
    }
}
