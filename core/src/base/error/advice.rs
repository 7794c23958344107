//! What to do about each refusal: the last part of the page that explains its code.

use super::ErrorCode;

impl ErrorCode {
    /// What whoever meets this code can do about it. Backticks stand around what is code.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "Look at `errors`: it says what could not be read and where. Send JSON in UTF-8 whose keys are not repeated."
            }
            Self::Unauthenticated => {
                "Log in at `POST /auth/login` and send the access token with every request. If you use cookies, check that the browser sends them to this host."
            }
            Self::InvalidToken => {
                "Ask for a new access token at `POST /auth/refresh`. If that is refused too, log in again."
            }
            Self::InvalidCredentials => {
                "Check the address and the password. If you do not remember the password, ask for a link at `POST /auth/password/forgot`."
            }
            Self::Forbidden => {
                "`permission` names what is missing and `roles_that_grant` the roles that would do. Ask an administrator of the organization for one of them."
            }
            Self::EmailUnverified => {
                "Open the link in the mail that was sent to you when you registered. Ask for a new one at `POST /auth/email/resend`."
            }
            Self::InactiveUser => "Ask an operator of this installation to activate the account.",
            Self::CsrfFailed => {
                "Send the request from a page of this service or of a trusted origin, with the token of `GET /auth/csrf` as `X-CSRF-Token`. Programs should use `Authorization: Bearer …` instead of cookies."
            }
            Self::ReauthRequired => {
                "Send the password to `POST /auth/reauthenticate`, then repeat the request."
            }
            Self::Escalation => {
                "Leave out the permissions that `missing` lists, or ask somebody who holds them to do this."
            }
            Self::OwnerProtected => "Ask an owner of the organization to do this.",
            Self::OrganizationSuspended => {
                "Read what you need. To change something, ask an operator of this installation to end the suspension."
            }
            Self::TransferNotYours => {
                "Log in as the member to whom the organization is offered, or as an owner."
            }
            Self::NotFound => {
                "Check the path and the ids. What you may not see is answered like what is not there, so check also that you belong to the organization."
            }
            Self::MethodNotAllowed => "Use one of the methods that the header `Allow` lists.",
            Self::RequestTimeout => {
                "Send the whole request without a pause. If the connection is slow, send less at a time."
            }
            Self::EmailTaken => {
                "Log in with this address, or set a new password for it. Otherwise use another address."
            }
            Self::UsernameTaken => "Choose another username.",
            Self::SlugTaken => {
                "Choose another slug. A slug that was given up stays reserved for its organization for 90 days."
            }
            Self::ProjectCodeTaken => {
                "Choose another code, or use the project that has it. Codes are compared without regard to case."
            }
            Self::ProjectArchived => {
                "Name another project, or take this one out of the archive at `POST …/projects/{project}/unarchive`."
            }
            Self::TagNameTaken => {
                "Choose another name, or use the tag that has it. Names are compared without regard to case."
            }
            Self::TagInUse => {
                "Take the tag off its tasks and time entries first. To call it something else, rename it."
            }
            Self::ParentDeleted => "Restore the project first, then what belongs to it.",
            Self::TimerRunning => "Stop the running timer at `POST …/timer/stop`, then start the new one.",
            Self::TimerNotRunning => {
                "Start a timer at `POST …/timer/start`, or add a time entry with its end."
            }
            Self::TimeEntryOverlap => {
                "Change the beginning or the end, so that this member has no other entry at that time. The organization’s settings say whether entries may overlap."
            }
            Self::PeriodLocked => {
                "Leave the entry as it is, or ask somebody who may change the lock at `PUT …/period-lock`."
            }
            Self::RoleNameTaken => "Choose another name, or use the role that has it.",
            Self::RoleBuiltin => {
                "Add a role of your own with the permissions that you want, and give that one."
            }
            Self::RoleInUse => {
                "Repeat the request with `reassign_to`, or take the role from the members in `members` first."
            }
            Self::NotAMember => {
                "Ask an administrator of the organization for an invitation. Operators of the platform have no membership to act on."
            }
            Self::PersonalOrganization => "Create an organization of its own for what you share with others.",
            Self::AlreadyMember => "There is nothing to do. To change what they may do, change their roles.",
            Self::InvitationPending => {
                "Send the invitation again at `POST …/invitations/{invitation}/resend`, or withdraw it."
            }
            Self::InvitationClosed => "Invite the address again.",
            Self::InvitationEmailMismatch => {
                "Log out and open the link again, or log in with the address that was invited."
            }
            Self::InvitationUnsupported => "Ask the organization to invite you again.",
            Self::LastOwner => {
                "Make somebody else an owner first, hand the organization over, or delete it. `organizations` lists those it is about."
            }
            Self::TransferPending => "Wait for the answer, or cancel the offer and make a new one.",
            Self::TransferVoid => "Ask an active owner to offer the organization again.",
            Self::PasswordRequired => {
                "Send the password that was set at registration as `password`, or set another one with `new_password`."
            }
            Self::OrganizationLimit => {
                "Delete an organization that you do not need, or hand it over. An operator of this installation can found one for you."
            }
            Self::LastSuperuser => {
                "Make another account an operator first, for example with `insula create-superuser`."
            }
            Self::JobFinished => {
                "Look at the job’s `status`. Only jobs that are dead or cancelled can be retried, and only pending ones cancelled."
            }
            Self::JobRunning => "Wait until the job has finished, then try again.",
            Self::JobPending => "Cancel the job first, or wait until it is done.",
            Self::EmailNotKept => "Repeat what sent the mail: for example, ask for a new link.",
            Self::Conflict => "Read the current state and repeat the request.",
            Self::IdempotencyInFlight => {
                "Wait a moment and send the same request with the same key again. You will get its answer."
            }
            Self::OrganizationMoved => {
                "Follow `Location`, and use the new slug or the organization’s id from now on."
            }
            Self::LinkExpired => "Ask for a new link where you asked for this one. Each link works once.",
            Self::InvitationExpired => {
                "Open the newest mail, or ask the person who invited you to send the invitation again."
            }
            Self::TransferExpired => "Ask an owner to offer the organization again.",
            Self::OrganizationDeleted => {
                "Restore the organization within 30 days, or ask an operator of this installation to do so."
            }
            Self::PreconditionFailed => {
                "Read it again, apply your change to what you read, and send the new `ETag` as `If-Match`."
            }
            Self::PreconditionRequired => {
                "Read what you want to change and send its `ETag` as `If-Match`. `If-Match: *` changes it whatever its version."
            }
            Self::PayloadTooLarge => {
                "Send less: split an import into several files, or a bulk request into several requests."
            }
            Self::UnsupportedMediaType => {
                "Set `Content-Type` to what the operation takes, name an encoding that is known, and do not compress the body."
            }
            Self::ValidationFailed => {
                "Correct every field that `errors` names. Each entry says what is wrong in `code` and `message`."
            }
            Self::PasswordMismatch => "Send the password that you log in with now.",
            Self::WeakPassword => {
                "Choose a longer password that is in no list of common ones and has nothing of your name or address. A few random words are best."
            }
            Self::InvalidCursor => {
                "Ask for the first page again, without `cursor`. Keep the filters and the sort while you follow the pages."
            }
            Self::IdempotencyMismatch => {
                "Use a new key for each new request, and repeat a key only with exactly the same body."
            }
            Self::RateLimited => {
                "Wait for as many seconds as `Retry-After` says. `RateLimit-Policy` names the limit and `RateLimit` what is left of it."
            }
            Self::InternalError => {
                "Try again later. If it stays, tell the operator of this installation the `request_id`."
            }
            Self::StorageUnavailable => {
                "Read what you need, and repeat the change later. If it goes on, tell an operator of this installation: the disk may be full."
            }
            Self::Unavailable => "Try again after as many seconds as `Retry-After` says.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_do_in_whole_sentences() {
        for code in ErrorCode::ALL {
            let advice = code.advice();
            assert!(advice.ends_with('.') && advice.len() > 15, "{}", code.as_str());
            assert_eq!(advice.matches('`').count() % 2, 0, "{}", code.as_str());
            assert_eq!(code.sentence().matches('`').count() % 2, 0, "{}", code.as_str());
        }
    }
}
