//! `/users/me/invitations`: invitations to the verified e-mail address of the signed-in user. The session is the proof.

use std::sync::Arc;

use insula_core::{
    base::ids::InvitationId,
    lifecycle::accounts,
    tenancy::invitations::{self, InvitationKey},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::responses::{InvitationAccepted, InvitationDeclined, MyInvitation};
use crate::routes::Tag;
use crate::{
    auth::extractors::SignedIn,
    http::{Cursor, Id, JsonResponse, Limit, ListRequest, ListSort, PageResponse},
    problem::{ProblemWith, Result},
    state::AppState,
};

pub struct ReceivedInvitationsApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Me")]
impl ReceivedInvitationsApi {
    /// List your invitations
    ///
    /// Returns the pending invitations for your verified e-mail address, oldest first.
    #[oai(path = "/users/me/invitations", method = "get", operation_id = "listMyInvitations")]
    async fn list(
        &self,
        request: &Request,
        me: SignedIn,
        /// Maximum number of items per page.
        limit: Query<Option<Limit>>,
        /// `next_cursor` of the previous page. Without it, the first page is returned.
        cursor: Query<Option<Cursor>>,
    ) -> Result<PageResponse<MyInvitation>> {
        let oldest_first = ListSort::ascending(InvitationKey::CreatedAt);
        let paging =
            ListRequest::new(&self.0.cursors, request, me.user.id, (limit.0, oldest_first, cursor.0))?;
        let page = invitations::list_for_recipient(&self.0.db, &me.user, paging.listing.clone()).await?;
        Ok(paging.reply(page, MyInvitation::from))
    }

    /// Accept one of your invitations
    ///
    /// You join the organization without the token of the e-mailed link. Your verified e-mail address must be
    /// the invited one. Otherwise, the invitation is not found.
    #[oai(
        path = "/users/me/invitations/:invitation/accept",
        method = "post",
        operation_id = "acceptMyInvitation"
    )]
    async fn accept(
        &self,
        me: SignedIn,
        /// Id of the invitation.
        invitation: Path<Id>,
    ) -> Result<JsonResponse<InvitationAccepted>, ProblemWith<404, 409, 410>> {
        let db = &self.0.db;
        let (link, opened) = invitations::open_received(db, &me.user, InvitationId(invitation.0.0)).await?;
        let mut tx = db.begin_global(me.caller.origin()).await?;
        let (user, member) = accounts::accept(&mut tx, &link, &opened, Some(&me.user), None).await?;
        tx.commit().await?;
        Ok(JsonResponse(InvitationAccepted::signed_in(opened, member.id, user.email)))
    }

    /// Decline one of your invitations
    ///
    /// Declines the invitation without the token of the e-mailed link. Your verified e-mail address must be the
    /// invited one. Otherwise, the invitation is not found. The link no longer works after that.
    #[oai(
        path = "/users/me/invitations/:invitation/decline",
        method = "post",
        operation_id = "declineMyInvitation"
    )]
    async fn decline(
        &self,
        me: SignedIn,
        /// Id of the invitation.
        invitation: Path<Id>,
    ) -> Result<JsonResponse<InvitationDeclined>, ProblemWith<404, 410>> {
        let (link, opened) =
            invitations::open_received(&self.0.db, &me.user, InvitationId(invitation.0.0)).await?;
        let tx = self.0.db.begin_global(me.caller.origin()).await?;
        accounts::decline(&tx, &link, &opened).await?;
        tx.commit().await?;
        let message = "You have declined the invitation.".to_owned();
        Ok(JsonResponse(InvitationDeclined::new(message)))
    }
}
