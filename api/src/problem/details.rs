//! The body of an error response, and its schema in the document.

use std::time::Duration;

use insula_core::base::{
    error::{Error, ErrorCode, ErrorKind, FieldError, MAX_FIELD_ERRORS, MissingPermission},
    permissions::Permission,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Default of `Retry-After`. A busy pool is usually free again by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The members of problem details in the order of RFC 9457 §3.1, then those of this API.
#[derive(Serialize)]
pub(super) struct ProblemDetails<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    instance: &'a str,
    error: &'static str,
    message: String,
    errors: &'a [FieldError],
    request_id: &'a str,
    trace_id: &'a str,
    #[serde(flatten)]
    lack: Option<PermissionDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_masked: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_entry_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Seconds to wait, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<u64>,
}

#[derive(Serialize)]
struct PermissionDetails<'a> {
    permission: &'static str,
    roles_held: &'a [String],
    roles_that_grant: &'a [String],
}

impl<'a> ProblemDetails<'a> {
    pub(super) fn new(error: &'a Error, instance: &'a str, request_id: &'a str, trace_id: &'a str) -> Self {
        let code = error.code();
        let detail = sentence(error);
        let wait = match error {
            Error::Unavailable { retry_after } | Error::Limited { retry_after } => Some(*retry_after),
            _ => (code.kind() == ErrorKind::Unavailable).then_some(RETRY_AFTER),
        };
        Self {
            r#type: super::page_of(code),
            title: code.title(),
            status: super::status(code.kind()).as_u16(),
            message: detail.clone(),
            detail,
            instance,
            error: code.as_str(),
            errors: match error {
                Error::Invalid(_, errors) | Error::TimeEntryOverlap(_, errors) => {
                    &errors[..errors.len().min(MAX_FIELD_ERRORS)]
                }
                _ => &[],
            },
            request_id,
            trace_id,
            missing: match error {
                Error::Forbidden(missing) => Some(vec![missing.permission.as_str()]),
                Error::Escalation(missing) => Some(missing.iter().map(Permission::as_str).collect()),
                _ => None,
            },
            members: match error {
                Error::RoleInUse { members, .. } => Some(members.iter().map(ToString::to_string).collect()),
                _ => None,
            },
            invitations: match error {
                Error::RoleInUse { invitations, .. } => {
                    Some(invitations.iter().map(ToString::to_string).collect())
                }
                _ => None,
            },
            lack: if let Error::Forbidden(missing) = error { Some((&**missing).into()) } else { None },
            organizations: if let Error::LastOwner(slugs) = error { Some(slugs) } else { None },
            email_masked: if let Error::EmailMismatch(masked) = error { Some(masked) } else { None },
            time_entry_id: if let Error::TimeEntryOverlap(id, _) = error {
                Some(id.to_string())
            } else {
                None
            },
            reason: if let Error::NotReady(reason) = error { Some(reason) } else { None },
            retry_after: wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        }
    }
}

/// Message for users: what happened, and what to do.
pub(super) fn sentence(error: &Error) -> String {
    let code = error.code();
    match code.kind() {
        // The cause of an internal error is only in the log.
        ErrorKind::Internal => code.sentence().to_owned(),
        _ => error.to_string(),
    }
}

impl<'a> From<&'a MissingPermission> for PermissionDetails<'a> {
    fn from(MissingPermission { permission, roles_held, roles_that_grant }: &'a MissingPermission) -> Self {
        Self { permission: permission.as_str(), roles_held, roles_that_grant }
    }
}

/// An error with this code, as an example in the document.
pub(crate) fn example(code: ErrorCode) -> Value {
    let missing = MissingPermission {
        permission: Permission::ProjectsCreate,
        roles_held: vec!["viewer".to_owned()],
        roles_that_grant: vec!["owner".to_owned(), "admin".to_owned()],
    };
    let field = FieldError {
        field: "name".to_owned(),
        code: "TOO_LONG",
        message: "Must have at most 100 characters.".to_owned(),
    };
    let error = match code {
        ErrorCode::Forbidden => Error::Forbidden(Box::new(missing)),
        ErrorCode::ValidationFailed => Error::Invalid(code, vec![field]),
        ErrorCode::Escalation => Error::Escalation([Permission::AuditExport].into_iter().collect()),
        ErrorCode::InvitationEmailMismatch => Error::EmailMismatch("a***@example.com".to_owned()),
        ErrorCode::MembershipSuspended => Error::MembershipSuspended("Acme".to_owned()),
        ErrorCode::LastOwner => Error::LastOwner(vec!["acme".to_owned()]),
        code => code.refuse(),
    };
    json!(ProblemDetails::new(
        &error,
        "/api/v1/organizations/acme/projects",
        "0190b3a07c1e7d2a9f003a5c6e7f8091",
        "0af7651916cd43dd8448eb211c80319c"
    ))
}

/// The schema of every error response.
pub(crate) fn schema() -> Value {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let meanings: Vec<_> =
        ErrorCode::ALL.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.sentence())).collect();
    let text = |description: &str| json!({"type": "string", "description": description});
    let texts =
        |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance", "error", "message", "errors", "request_id", "trace_id"],
        "properties": {
            "type": text("URI of the problem type; the same information as `error`."),
            "title": text("Short summary of the problem type."),
            "status": {"type": "integer", "description": "HTTP status code."},
            "detail": text("Message for users: what happened, and what to do."),
            "instance": text("Path of the request."),
            "error": {
                "type": "string",
                "enum": codes,
                "description": format!("Stable error code for programs.\n\n{}", meanings.join("\n")),
            },
            "message": text("The same as `detail`."),
            "errors": {
                "type": "array",
                "description": "All invalid fields; only the first 50 if there are more.",
                "maxItems": MAX_FIELD_ERRORS,
                "items": {
                    "type": "object",
                    "required": ["field", "code", "message"],
                    "properties": {
                        "field": text("Path of the field, such as `members[0].role`, or the name of a parameter; empty for the whole body."),
                        "code": text("Stable error code for programs."),
                        "message": text("Message for users: what is wrong with the field."),
                    },
                },
            },
            "request_id": text("Id of the request, as written to the log."),
            "trace_id": text("Id of the trace that the request is part of (W3C Trace Context)."),
            "permission": text("The permission that the request needs; for `FORBIDDEN`."),
            "missing": texts("The missing permissions."),
            "members": texts("Ids of the members who have the role."),
            "invitations": texts("Ids of the open invitations that grant the role."),
            "roles_held": texts("The roles that you have."),
            "roles_that_grant": texts("The roles that include the permission."),
            "organizations": texts("Slugs of the organizations that would have no owner."),
            "email_masked": text("The e-mail address of the invitation, partly hidden."),
            "time_entry_id": text("Id of the time entry that overlaps; for `TIME_ENTRY_OVERLAP`."),
            "reason": text("Why the service is not ready; only in `/readyz` and `/health`."),
            "retry_after": {"type": "integer", "description": "Seconds to wait before trying again."},
        },
    })
}
