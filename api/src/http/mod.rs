//! Shapes that several nouns share, and how answers are written.

mod etag;
mod download;
mod id;
mod pagination;
mod idempotency_key;
mod dry_run;
mod bulk_error;
mod responses;
mod bulk;

pub use bulk::{BulkResponse, Replayable};
pub use bulk_error::BulkError;
pub use download::{Csv, Download, Format, JsonLines, Table};
pub use dry_run::{DryRun, OrDryRun};
pub use etag::{EntityTag, IfMatch, IfNoneMatch, MemberTag};
pub use id::{Id, MemberOrMe};
pub use idempotency_key::IdempotencyKey;
pub use pagination::{Limit, ListRequest, Page, PageResponse};
pub use responses::{
    Accepted, AcceptedJob, CreatedResponse, JsonResponse, MultiStatus, NoContent, OrAccepted, Sentence,
    WithCookies, WithEtag,
};

use crate::texts;
use insula_core::base::text;

texts! {
    /// An e-mail address.
    Email { length: 3..=text::EmailAddress::MAX, format: "idn-email", example: "ada@example.com" }
    /// A password. Its characters are counted in NFC.
    Password { length: insula_core::identity::credentials::Passwords::LENGTH, format: "password", example: "a long and lovely passphrase" }
    /// A name to log in with.
    Username { length: text::Username::LENGTH, pattern: text::Username::PATTERN, example: "ada" }
    /// A name shown to people.
    Name { length: 1..=text::Name::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Analytical Engine" }
    /// What a person is called by others.
    DisplayName { length: 1..=201, example: "Ada Lovelace" }
    /// A language tag (BCP 47).
    Locale { length: text::Locale::LENGTH, pattern: text::Locale::PATTERN, example: "en-GB" }
    /// A time zone (IANA).
    TimeZone { length: 1..=text::TimeZone::MAX, example: "Europe/London" }
    /// A few sentences, for people.
    About { length: 1..=text::OrganizationDescription::MAX, pattern: text::NOT_BLANK_PATTERN, example: "We build engines that reckon." }
    /// A currency (ISO 4217).
    Currency { length: text::Currency::LENGTH, pattern: text::Currency::PATTERN, example: "EUR" }
    /// The address of an organization in URLs.
    Slug { length: text::Slug::LENGTH, pattern: text::Slug::PATTERN, example: "acme" }
    /// A part of such an address.
    SlugPart { length: text::SlugFragment::LENGTH, pattern: text::SlugFragment::PATTERN, example: "acm" }
    /// The short code of a project.
    ProjectCode { length: 1..=text::ProjectCode::MAX, pattern: text::ProjectCode::PATTERN, example: "ENGINE" }
    /// The name of a tag.
    TagName { length: 1..=text::TagName::MAX, pattern: text::NOT_BLANK_PATTERN, example: "urgent" }
    /// A colour.
    Color { length: 7..=7, pattern: text::Color::PATTERN, example: "#1f6feb" }
    /// The stable name of a role.
    RoleKey { length: 1..=50, example: "owner" }
    /// A role, by its key or its id.
    RoleName { length: 1..=50, example: "member" }
    /// `resource:action`.
    Permission { length: 3..=50, pattern: "^[a-z_]+:[a-z_]+$", example: "projects:read" }
    /// A few words, for people.
    Description { length: 0..=text::RoleDescription::MAX, pattern: text::NO_CONTROLS_PATTERN, example: "View projects" }
    /// A part of what is looked for.
    SearchTerm { length: 1..=text::SearchTerm::MAX, pattern: text::NOT_BLANK_PATTERN, example: "ada" }
    /// Where a list goes on, as the page before said.
    Cursor { length: 1..=1000, example: "eyJ2IjoxLCJzIjoiZ3U4Y2Zl" }
}
