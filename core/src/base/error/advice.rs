//! Advice for each error, shown in the last section of the page of its code.

use super::ErrorCode;

impl ErrorCode {
    /// What a client can do about this error. Code is in backticks.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "See `errors` for what could not be read, and where. Send JSON in UTF-8 without repeated keys."
            }
            Self::Unauthenticated => {
                "Log in at `POST /auth/login` and send the access token with every request. If you use cookies, check that the browser sends them to this host."
            }
            Self::InvalidToken => {
                "Request a new access token at `POST /auth/refresh`. If that is refused too, log in again."
            }
            Self::InvalidCredentials => {
                "Check the e-mail address and the password. If you do not remember the password, request a link at `POST /auth/password/forgot`."
            }
            Self::Forbidden => {
                "`permission` names the missing permission, and `roles_that_grant` lists the roles that include it. Ask an administrator of the organization for one of these roles."
            }
            Self::EmailUnverified => {
                "Open the link in the e-mail that was sent to you when you registered. Request a new one at `POST /auth/email/resend`."
            }
            Self::InactiveUser => "Ask the operator of this installation to activate the account.",
            Self::CsrfFailed => {
                "`errors` says which check failed. Send the request from a page of this service or from a trusted origin. Send the token from `GET /auth/csrf` as `X-CSRF-Token`. Programs should use `Authorization: Bearer …` instead of cookies."
            }
            Self::ReauthRequired => {
                "Send the password to `POST /auth/reauthenticate`, then repeat the request."
            }
            Self::Escalation => {
                "Leave out the permissions that `missing` lists, or ask somebody who has them to do this."
            }
            Self::OwnerProtected => "Ask an owner of the organization to do this.",
            Self::MembershipSuspended => {
                "Ask an administrator of the organization to reactivate your membership. Until then, you have no access to it."
            }
            Self::OrganizationSuspended => {
                "You can still read the organization. To change something, ask the operator of this installation to end the suspension."
            }
            Self::TransferNotYours => {
                "Log in as the member who was offered the organization, or as an owner."
            }
            Self::NotFound => {
                "Check the path and the ids. Objects that you may not see are reported as not found, so also check that you are a member of the organization."
            }
            Self::MethodNotAllowed => "Use one of the methods in the `Allow` header.",
            Self::RequestTimeout => {
                "Send the whole request without pauses. If the connection is slow, send less data per request."
            }
            Self::EmailTaken => {
                "Log in with this e-mail address, or reset its password. Otherwise use another e-mail address."
            }
            Self::UsernameTaken => "Choose another username.",
            Self::SlugTaken => {
                "Choose another slug. After a change, the old slug stays reserved for its organization for 90 days."
            }
            Self::ProjectCodeTaken => {
                "Choose another code, or use the project that has it. Codes are not case-sensitive."
            }
            Self::ProjectArchived => {
                "Choose another project, or unarchive this one at `POST …/projects/{project}/unarchive`."
            }
            Self::TagNameTaken => {
                "Choose another name, or use the tag that has it. Names are not case-sensitive."
            }
            Self::TagInUse => {
                "Remove the tag from its tasks and time entries first. If you only want another name, rename the tag."
            }
            Self::ParentDeleted => "Restore the project first, then its tasks.",
            Self::TimerRunning => "Stop the running timer at `POST …/timer/stop`, then start the new one.",
            Self::TimerNotRunning => {
                "Start a timer at `POST …/timer/start`, or add a time entry with its end."
            }
            Self::TimeEntryOverlap => {
                "`time_entry_id` names the other entry. Change the start or the end, so that this member has no other entry at that time. The organization’s settings define whether entries may overlap."
            }
            Self::PeriodLocked => {
                "Leave the entry unchanged, or ask a member who can change the lock at `PUT …/period-lock`."
            }
            Self::RoleNameTaken => "Choose another name, or use the role that has it.",
            Self::RoleBuiltin => {
                "Create a role of your own with the permissions that you need, and assign that role."
            }
            Self::RoleInUse => {
                "Repeat the request with `reassign_to`, or remove the role from `members` and `invitations` first."
            }
            Self::NotAMember => {
                "Ask an administrator of the organization for an invitation. Superusers can access an organization without a membership, but not use operations about one's own membership."
            }
            Self::PersonalOrganization => "Create another organization for your work with other people.",
            Self::AlreadyMember => {
                "Nothing needs to be done. To change the user's permissions, change their roles."
            }
            Self::InvitationPending => {
                "Send the invitation again at `POST …/invitations/{invitation}/resend`, or withdraw it."
            }
            Self::InvitationClosed => "Invite the e-mail address again.",
            Self::InvitationEmailMismatch => {
                "Log out and open the link again, or log in with the e-mail address that was invited."
            }
            Self::InvitationUnsupported => "Ask the organization to invite you again.",
            Self::LastOwner => {
                "Make another member an owner first, transfer the organization, or delete it. `organizations` lists the affected organizations."
            }
            Self::TransferPending => "Wait for the answer, or cancel the transfer and start a new one.",
            Self::TransferVoid => "Ask an active owner to start a new transfer.",
            Self::PasswordRequired => {
                "Send the password that was set at registration as `password`, or set another one with `new_password`."
            }
            Self::OrganizationLimit => {
                "Delete or transfer an organization that you do not need. The operator of this installation can also create one for you."
            }
            Self::LastSuperuser => {
                "Make another account a superuser first, for example with `insula create-superuser`."
            }
            Self::JobFinished => {
                "Check the `status` of the job. Only dead or cancelled jobs can be retried, and only pending jobs can be cancelled."
            }
            Self::JobRunning => "Wait until the job has finished, then try again.",
            Self::JobPending => "Cancel the job first, or wait until it has finished.",
            Self::EmailNotKept => "Repeat the action that sent the e-mail. For example, request a new link.",
            Self::Conflict => "Read the current state and repeat the request.",
            Self::IdempotencyInFlight => {
                "Wait a moment, then send the same request with the same key again. You will receive its response."
            }
            Self::OrganizationMoved => {
                "Follow `Location`, and use the new slug or the organization’s id from now on."
            }
            Self::LinkExpired => "Request a new link in the same way as this one. Each link works once.",
            Self::InvitationExpired => {
                "Open the most recent e-mail, or ask the person who invited you to send the invitation again."
            }
            Self::TransferExpired => "Ask an owner to start a new transfer.",
            Self::OrganizationDeleted => {
                "Restore the organization within 30 days, or ask the operator of this installation to do so."
            }
            Self::PreconditionFailed => {
                "Read the object again, apply your change to the new version, and send its `ETag` as `If-Match`."
            }
            Self::PreconditionRequired => {
                "Read the object that you want to change and send its `ETag` as `If-Match`. `If-Match: *` accepts any version."
            }
            Self::PayloadTooLarge => {
                "Send less data. Split an import into several files, or a bulk request into several requests."
            }
            Self::UnsupportedMediaType => {
                "Set `Content-Type` to the media type of the operation, use a supported encoding, and do not compress the body."
            }
            Self::ValidationFailed => {
                "Correct every field that is listed in `errors`. `code` and `message` of each entry say what is wrong."
            }
            Self::PasswordMismatch => "Send the password that you currently use to log in.",
            Self::WeakPassword => {
                "Choose a longer password that is not a common one and does not contain your name or e-mail address. A few random words work best."
            }
            Self::InvalidCursor => {
                "Request the first page again, without `cursor`. Do not change the filters or the sort order while you follow the pages."
            }
            Self::IdempotencyMismatch => {
                "Use a new key for each new request. Repeat a key only with exactly the same body."
            }
            Self::RateLimited => {
                "Wait for the number of seconds in `Retry-After`. `RateLimit-Policy` describes the limit, and `RateLimit` shows what remains of it."
            }
            Self::InternalError => {
                "Try again later. If the problem persists, send the `request_id` to the operator of this installation."
            }
            Self::StorageUnavailable => {
                "You can still read data. Repeat the change later. If the problem persists, contact the operator of this installation. The disk may be full."
            }
            Self::Unavailable => "Try again after the number of seconds in `Retry-After`.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_advice_in_complete_sentences() {
        for code in ErrorCode::ALL {
            let advice = code.advice();
            assert!(advice.ends_with('.') && advice.len() > 15, "{}", code.as_str());
            assert_eq!(advice.matches('`').count() % 2, 0, "{}", code.as_str());
            assert_eq!(code.sentence().matches('`').count() % 2, 0, "{}", code.as_str());
        }
    }
}
