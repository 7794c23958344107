//! The events of each step, as `<log> <action> by <kind of actor> <who>`. The log is `platform`, that of an organization, or
//! that of a personal organization (`ada's`). Someone who proves an e-mail address or a password acts as its user.
//!
//! Rows that are not resources have no events: credentials, e-mailed links, jobs that a change causes, the
//! permissions of a role and its holders. The events of their account, role or member cover them.

/// Every step by its operation, and by its case where there are several. To try it, and to ask for it again, has no row:
/// both leave nothing, but that a superuser looked.
pub(super) const TABLE: &[(&str, &[&str])] = &[
    // Accounts of one's own.
    (
        "register",
        &[
            "platform user.registered by user ada",
            "ada's organization.created by user ada",
            "ada's member.added by user ada",
        ],
    ),
    ("register.known", &["platform user.registered_again by anonymous"]),
    ("resendVerification", &["platform user.verification_requested by anonymous"]),
    ("verifyEmail", &["platform user.email_verified by user ada"]),
    (
        "verifyEmail.elsewhere",
        &[
            "platform user.email_verified by user bob",
            "platform user.password_changed by user bob",
            "platform session.revoked by user bob",
        ],
    ),
    ("verifyEmail.another", &["platform user.email_changed by user countess"]),
    ("logIn", &["platform session.created by user ada"]),
    ("logIn.one-too-many", &["platform session.created by user ada", "platform session.revoked by user ada"]),
    // Sessions live by it: it would drown what happens.
    ("refresh", &[]),
    ("reauthenticate", &["platform session.reauthenticated by user ada"]),
    ("updateMe", &["platform user.updated by user ada"]),
    ("revokeMySession", &["platform session.revoked by user ada"]),
    (
        "revokeMyOtherSessions",
        &["platform session.revoked by user ada", "platform session.revoked by user ada"],
    ),
    (
        "changeMyPassword",
        &["platform user.password_changed by user ada", "platform session.revoked by user ada"],
    ),
    ("forgotPassword", &["platform user.password_reset_requested by anonymous"]),
    (
        "resetPassword",
        &[
            "platform user.password_reset by user ada",
            "platform session.revoked by user ada",
            "platform session.revoked by user ada",
            "platform session.revoked by user ada",
        ],
    ),
    ("resetPassword.signed-out", &["platform user.password_reset by user ada"]),
    ("changeMyEmail", &["platform user.email_change_requested by user ada"]),
    ("changeMyEmail.at-once", &["platform user.email_changed by user rob"]),
    (
        "undoEmailChange",
        &["platform user.email_change_undone by user ada", "platform session.revoked by user ada"],
    ),
    ("logOut", &["platform session.revoked by user ada"]),
    ("logOutEverywhere", &["platform session.revoked by user ada", "platform session.revoked by user ada"]),
    (
        "deleteMe",
        &[
            "platform user.deleted by user ada",
            "platform session.revoked by user ada",
            "platform session.revoked by user ada",
            "ada's organization.deleted by user ada",
        ],
    ),
    // Organizations.
    ("createOrganization", &["acme organization.created by user ada", "acme member.added by user ada"]),
    ("updateOrganization", &["acme organization.updated by user ada"]),
    // That it had another one is a part of its history.
    ("updateOrganization.slug", &["anvils organization.updated by user eve"]),
    ("updateSettings", &["acme settings.updated by user ada"]),
    ("deleteOrganization", &["acme organization.deleted by user eve"]),
    ("restoreOrganization", &["acme organization.restored by user eve"]),
    ("createProject", &["acme project.created by user ada"]),
    ("updateProject", &["acme project.updated by user ada"]),
    ("deleteProject", &["acme project.deleted by user ada"]),
    ("restoreProject", &["acme project.restored by user ada"]),
    ("createTimeEntry", &["acme time_entry.created by user ada"]),
    ("updateTimeEntry", &["acme time_entry.updated by user ada"]),
    ("deleteTimeEntry", &["acme time_entry.deleted by user ada"]),
    ("restoreTimeEntry", &["acme time_entry.restored by user ada"]),
    ("importTimeEntries", &["acme time_entry.imported by user ada", "acme time_entry.imported by user ada"]),
    ("startTimer", &["acme time_entry.started by user ada"]),
    ("stopTimer", &["acme time_entry.stopped by user ada"]),
    ("setPeriodLock", &["acme period.locked by user ada"]),
    ("setPeriodLock.none", &["acme period.unlocked by user ada"]),
    ("archiveProject", &["acme project.archived by user ada"]),
    ("unarchiveProject", &["acme project.unarchived by user ada"]),
    // Who its members are is a part of the project.
    ("setProjectMembers", &["acme project.updated by user ada"]),
    ("createTag", &["acme tag.created by user ada"]),
    ("updateTag", &["acme tag.updated by user ada"]),
    ("deleteTag", &["acme tag.deleted by user ada"]),
    ("createTask", &["acme task.created by user ada"]),
    ("updateTask", &["acme task.updated by user ada"]),
    ("deleteTask", &["acme task.deleted by user ada"]),
    ("restoreTask", &["acme task.restored by user ada"]),
    ("createTasks", &["acme task.created by user ada", "acme task.created by user ada"]),
    ("createInvitation", &["acme invitation.created by user ada"]),
    (
        "createInvitation.anew",
        &["acme invitation.expired by user ada", "acme invitation.created by user ada"],
    ),
    (
        "createInvitations",
        &[
            "acme invitation.created by user ada",
            "acme invitation.created by user ada",
            "acme invitation.created by user ada",
        ],
    ),
    ("resendInvitation", &["acme invitation.resent by user ada"]),
    ("revokeInvitation", &["acme invitation.revoked by user ada"]),
    ("previewInvitation", &[]),
    ("acceptInvitation", &["acme invitation.accepted by user eve", "acme member.added by user eve"]),
    (
        "acceptInvitation.newcomer",
        &[
            "platform user.registered by user nina",
            "acme invitation.accepted by user nina",
            "acme member.added by user nina",
        ],
    ),
    (
        "acceptInvitation.unproved",
        &[
            "platform user.password_reset by user bob",
            "platform session.revoked by user bob",
            "acme invitation.accepted by user bob",
            "acme member.added by user bob",
        ],
    ),
    ("acceptMyInvitation", &["acme invitation.accepted by user kim", "acme member.added by user kim"]),
    ("declineMyInvitation", &["acme invitation.declined by user kim"]),
    // The link works without an account.
    ("declineInvitation", &["acme invitation.declined by anonymous"]),
    ("createRole", &["acme role.created by user ada"]),
    ("updateRole", &["acme role.updated by user ada"]),
    ("setRolePermissions", &["acme role.updated by user ada"]),
    (
        "deleteRole",
        &[
            "acme role.deleted by user ada",
            "acme member.updated by user ada",
            "acme member.updated by user ada",
        ],
    ),
    ("updateMember", &["acme member.updated by user ada"]),
    ("updateMember.both", &["acme member.updated by user eve"]),
    ("removeMember", &["acme member.removed by user ada"]),
    // What ran when she left is stopped, and projects do not count on her any more.
    (
        "leaveOrganization",
        &[
            "acme member.left by user ada",
            "acme time_entry.stopped by user ada",
            "acme project.updated by user ada",
        ],
    ),
    ("checkPermission", &[]),
    ("explainPermission", &[]),
    ("offerOrganization", &["acme transfer.offered by user ada"]),
    ("offerOrganization.anew", &["acme transfer.expired by user ada", "acme transfer.offered by user ada"]),
    ("cancelTransfer", &["acme transfer.cancelled by user ada"]),
    ("cancelTransfer.declined", &["acme transfer.declined by user eve"]),
    (
        "acceptTransfer",
        &[
            "acme transfer.accepted by user eve",
            "acme member.updated by user eve",
            "acme member.updated by user eve",
        ],
    ),
    // Superusers in organizations: their access is recorded too, also when it is refused.
    (
        "createProject.operator",
        &["acme platform.access by superuser root", "acme project.created by superuser root"],
    ),
    (
        "updateProject.operator",
        &["acme platform.access by superuser root", "acme project.updated by superuser root"],
    ),
    (
        "updateMember.operator",
        &["acme platform.access by superuser root", "acme member.updated by superuser root"],
    ),
    ("checkPermission.operator", &["acme platform.access by superuser root"]),
    // The platform. Superusers act under their office, also in the logs of the organizations that this reaches.
    (
        "createUser",
        &[
            "platform user.created by superuser root",
            "ada's organization.created by superuser root",
            "ada's member.added by superuser root",
        ],
    ),
    ("createUser.operator", &["platform user.created by superuser root"]),
    ("updateUser", &["platform user.updated by superuser root"]),
    // One row, so one event, which is called by the dearest of what changed.
    ("updateUser.promoted", &["platform user.promoted by superuser root"]),
    ("updateUser.demoted", &["platform user.demoted by superuser root"]),
    (
        "updateUser.address",
        &["platform user.email_changed by superuser root", "platform session.revoked by superuser root"],
    ),
    (
        "revokeUserSessions",
        &["platform session.revoked by superuser root", "platform session.revoked by superuser root"],
    ),
    (
        "deactivateUser",
        &["platform user.deactivated by superuser root", "platform session.revoked by superuser root"],
    ),
    ("activateUser", &["platform user.activated by superuser root"]),
    (
        "deleteUser",
        &[
            "platform user.deleted by superuser root",
            "platform session.revoked by superuser root",
            "countess's organization.deleted by superuser root",
        ],
    ),
    (
        "restoreUser",
        &["platform user.restored by superuser root", "countess's organization.restored by superuser root"],
    ),
    (
        "changeUsers.deactivate",
        &[
            "platform user.deactivated by superuser root",
            "platform user.deactivated by superuser root",
            "platform session.revoked by superuser root",
            "platform session.revoked by superuser root",
        ],
    ),
    (
        "changeUsers.activate",
        &["platform user.activated by superuser root", "platform user.activated by superuser root"],
    ),
    (
        "changeUsers.delete",
        &[
            "platform user.deleted by superuser root",
            "platform user.deleted by superuser root",
            "countess's organization.deleted by superuser root",
            "eve's organization.deleted by superuser root",
        ],
    ),
    (
        "changeUsers.restore",
        &[
            "platform user.restored by superuser root",
            "platform user.restored by superuser root",
            "countess's organization.restored by superuser root",
            "eve's organization.restored by superuser root",
        ],
    ),
    (
        "createOrganizationFor",
        &["acme organization.created by superuser root", "acme member.added by superuser root"],
    ),
    ("updateAnyOrganization", &["acme organization.updated by superuser root"]),
    ("suspendOrganization", &["acme organization.suspended by superuser root"]),
    ("resumeOrganization", &["acme organization.resumed by superuser root"]),
    ("deleteAnyOrganization", &["acme organization.deleted by superuser root"]),
    ("restoreAnyOrganization", &["acme organization.restored by superuser root"]),
    ("retryJob", &["acme job.retried by superuser root"]),
    ("cancelJob", &["acme job.cancelled by superuser root"]),
    ("deleteJob", &["acme job.deleted by superuser root"]),
    ("deleteJob.platform", &["platform job.deleted by superuser root"]),
    ("resendEmail", &["acme email.resent by superuser root"]),
    // No second e-mail is made: the job of the first one is hurried.
    ("resendEmail.waiting", &["acme job.retried by superuser root"]),
    ("pauseQueue", &["platform queue.paused by superuser root"]),
    ("resumeQueue", &["platform queue.resumed by superuser root"]),
];
