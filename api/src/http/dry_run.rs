//! `?dry_run=true`: what a change would do, without doing it.

use insula_core::{base::ids::InvitationId, tenancy::members::PermissionDiff};
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;
use uuid::Uuid;

use super::{JsonResponse, Permission, responses::JSON};

/// Who would gain and who would lose what. Nothing was changed.
#[derive(Object, Serialize)]
pub struct DryRun {
    /// Those for whom anything would change.
    effects: Vec<MemberPermissionDiff>,
    /// The open invitations that would give another role; of the deletion of a role.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    invitations: Option<Vec<Uuid>>,
}

/// What a change would do to one member.
#[derive(Object, Serialize)]
struct MemberPermissionDiff {
    /// To whom.
    member_id: Uuid,
    /// What he could do then, and cannot do now.
    gains: Vec<Permission>,
    /// What he can do now, and could not do then.
    loses: Vec<Permission>,
}

/// The answer, or what it would have changed.
pub enum OrDryRun<R> {
    /// It was done.
    Done(R),
    /// It was only tried.
    Tried(DryRun),
}

impl<R> OrDryRun<R> {
    /// It was only tried.
    pub fn tried(effects: Vec<PermissionDiff>) -> Self {
        let names = |set: insula_core::base::permissions::PermissionSet| {
            set.iter().map(|permission| Permission(permission.to_string())).collect()
        };
        let effect = |effect: PermissionDiff| MemberPermissionDiff {
            member_id: effect.member.0,
            gains: names(effect.gains),
            loses: names(effect.loses),
        };
        Self::Tried(DryRun { effects: effects.into_iter().map(effect).collect(), invitations: None })
    }

    /// As it is, with the open invitations that would give another role.
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

/// 200 is either; where the change itself answers otherwise, 200 is the preview.
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
                description: "What would be changed.",
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
