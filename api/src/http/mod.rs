//! Types that several routes share, and how responses are written.

mod etag;
mod download;
mod id;
mod sort;
mod pagination;
mod idempotency_key;
mod dry_run;
mod bulk_error;
mod responses;
mod created_response;
mod bulk;

pub use bulk::{BulkResponse, Replayable};
pub use bulk_error::BulkError;
pub use created_response::CreatedResponse;
pub use download::{Csv, Download, FileFormat, JsonLines, TableRow};
pub use dry_run::{DryRun, OrDryRun};
pub use etag::{EntityTag, IfMatch, IfNoneMatch, MemberTag};
pub use id::{Id, MemberOrMe};
pub use idempotency_key::IdempotencyKey;
pub use pagination::{Limit, ListPage, ListRequest, PageResponse};
pub use responses::{
    Accepted, AcceptedJob, JsonResponse, MultiStatus, NoContent, OrAccepted, Sentence, WithCookies, WithEtag,
};
pub(crate) use sort::sort_keys;
pub use sort::{ListKey, ListSort};

use crate::texts;
use insula_core::base::{
    error::{Error, ErrorCode},
    text,
};

texts! {
    /// An e-mail address.
    Email { length: 3..=text::EmailAddress::MAX, format: "idn-email", example: "ada@example.com" }
    /// A password. Its length is counted in characters after NFC normalization.
    Password { length: insula_core::identity::credentials::Passwords::LENGTH, format: "password", example: "a long and lovely passphrase" }
    /// A name to log in with.
    Username { length: text::Username::LENGTH, pattern: text::Username::PATTERN, example: "ada" }
    /// A name, for display.
    Name { length: 1..=text::Name::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Analytical Engine" }
    /// The name of a user, as shown to others.
    DisplayName { length: 1..=201, example: "Ada Lovelace" }
    /// A language tag (BCP 47).
    Locale { length: text::Locale::LENGTH, pattern: text::Locale::PATTERN, example: "en-GB" }
    /// The name of a time zone (IANA).
    TimeZone { length: 1..=text::TimeZone::MAX, example: "Europe/London" }
    /// A short description, for display.
    About { length: 1..=text::OrganizationDescription::MAX, pattern: text::NOT_BLANK_PATTERN, example: "We build engines that reckon." }
    /// A currency code (ISO 4217).
    Currency { length: text::Currency::LENGTH, pattern: text::Currency::PATTERN, example: "EUR" }
    /// The short name of an organization in URLs.
    Slug { length: text::Slug::LENGTH, pattern: text::Slug::PATTERN, example: "acme" }
    /// A part of a slug, to search for.
    SlugPart { length: text::SlugFragment::LENGTH, pattern: text::SlugFragment::PATTERN, example: "acm" }
    /// The short code of a project.
    ProjectCode { length: 1..=text::ProjectCode::MAX, pattern: text::ProjectCode::PATTERN, example: "ENGINE" }
    /// The name of a tag.
    TagName { length: 1..=text::TagName::MAX, pattern: text::NOT_BLANK_PATTERN, example: "urgent" }
    /// A colour, as `#rrggbb`.
    Color { length: 7..=7, pattern: text::Color::PATTERN, example: "#1f6feb" }
    /// An organization, by id or slug.
    OrganizationName { length: 1..=63, example: "acme" }
    /// The version of a member, to compare and to send back. Its form can change.
    MemberVersion { length: 3..=50, example: "3.1" }
    /// The stable key of a role, for programs.
    RoleKey { length: 1..=50, example: "owner" }
    /// A role, by key or id.
    RoleName { length: 1..=50, example: "member" }
    /// A permission, as `resource:action`.
    Permission { length: 3..=50, pattern: "^[a-z_]+:[a-z_]+$", example: "projects:read" }
    /// A short text, for display.
    Description { length: 0..=text::RoleDescription::MAX, pattern: text::NO_CONTROLS_PATTERN, example: "View projects" }
    /// A text to search for.
    SearchTerm { length: 1..=text::SearchTerm::MAX, pattern: text::NOT_BLANK_PATTERN, example: "ada" }
    /// A position in a list, from `next_cursor` of the previous page.
    Cursor { length: 1..=1000, example: "eyJ2IjoxLCJzIjoiZ3U4Y2Zl" }
}

impl SearchTerm {
    /// The term of the parameter `q`.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for `q`.
    pub fn parse(self) -> Result<text::SearchTerm, Error> {
        let term = text::SearchTerm::parse(&self.0);
        term.map_err(|fault| ErrorCode::ValidationFailed.refuse_field("q", fault))
    }
}
