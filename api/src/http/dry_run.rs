//! `?dry_run=true`: shows what a change would do, without doing it.

use insula_core::{base::ids::InvitationId, tenancy::members::MemberEffect};
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;
use uuid::Uuid;

use super::{DisplayName, JsonResponse, Permission, responses::JSON};

/// Permissions that members would gain or lose. Nothing was changed.
#[derive(Object, Serialize)]
pub struct DryRun {
    /// The members whose permissions would change.
    effects: Vec<MemberPermissionDiff>,
    /// Ids of the pending invitations that would grant another role. Present only for the deletion of a role.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    invitations: Option<Vec<Uuid>>,
}

/// How a change would affect the permissions of one member.
#[derive(Object, Serialize)]
struct MemberPermissionDiff {
    /// Id of the member.
    member_id: Uuid,
    /// Name of the member, as shown to others.
    display_name: DisplayName,
    /// Permissions that the member would gain.
    gains: Vec<Permission>,
    /// Permissions that the member would lose.
    loses: Vec<Permission>,
}

/// The response to a change, or a preview of its effects.
pub enum OrDryRun<R> {
    /// The change was made.
    Done(R),
    /// The change was only tried.
    Tried(DryRun),
}

impl<R> OrDryRun<R> {
    /// The preview of a change with these effects.
    pub fn tried(effects: Vec<MemberEffect>) -> Self {
        let names = |set: insula_core::base::permissions::PermissionSet| {
            set.iter().map(|permission| Permission(permission.to_string())).collect()
        };
        let effect = |MemberEffect { diff, display_name }| MemberPermissionDiff {
            member_id: diff.member.0,
            display_name: DisplayName(display_name),
            gains: names(diff.gains),
            loses: names(diff.loses),
        };
        Self::Tried(DryRun { effects: effects.into_iter().map(effect).collect(), invitations: None })
    }

    /// Adds the pending invitations that would grant another role.
    #[must_use]
    pub fn with_invitations(self, invitations: Vec<InvitationId>) -> Self {
        match self {
            Self::Tried(preview) => {
                let invitations = invitations.into_iter().map(|invitation| invitation.0).collect();
                Self::Tried(DryRun { invitations: Some(invitations), ..preview })
            }
            done @ Self::Done(_) => done,
        }
    }
}

impl<R: IntoResponse> IntoResponse for OrDryRun<R> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(answer) => answer.into_response(),
            Self::Tried(preview) => JsonResponse(preview).into_response(),
        }
    }
}

/// 200 is the response to the change or the preview. If the change has another status, 200 is only the preview.
impl<R: ApiResponse> ApiResponse for OrDryRun<R> {
    fn meta() -> MetaResponses {
        let mut meta = R::meta();
        let content = |schema| MetaMediaType { content_type: JSON, schema };
        match meta.responses.iter_mut().find(|response| response.status == Some(200)) {
            Some(done) => {
                for media in &mut done.content {
                    let any_of = vec![media.schema.clone(), DryRun::schema_ref()];
                    media.schema = MetaSchemaRef::Inline(Box::new(MetaSchema { any_of, ..MetaSchema::ANY }));
                }
                for header in &mut done.headers {
                    header.required = false;
                }
            }
            None => meta.responses.push(MetaResponse {
                description: "A preview of the change (`dry_run=true`).",
                status: Some(200),
                status_range: None,
                content: vec![content(DryRun::schema_ref())],
                headers: Vec::new(),
            }),
        }
        meta
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
        <DryRun as Type>::register(registry);
    }
}
