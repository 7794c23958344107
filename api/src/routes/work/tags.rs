//! `/organizations/{org}/tags`: labels for tasks and time entries.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, ErrorCode, FieldErrors},
        ids::TagId,
        permissions::{TasksCreate, TasksDelete, TasksRead, TasksUpdate},
        text,
    },
    storage::idempotency::IdempotentBegin,
    work::{
        tags::{self, TagKey},
        time_entries,
    },
};
use poem::Request;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::Tag as Group;
use crate::{
    auth::tenant,
    body::{MergePatch, StrictJson, missing_first},
    http::{
        CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, Limit, ListRequest, NoContent,
        PageResponse, SearchTerm, TagName, WithEtag, sort_keys,
    },
    problem::Result,
    state::AppState,
};

pub struct TagsApi(pub Arc<AppState>);

/// A tag to create.
#[derive(Object)]
struct TagCreate {
    /// Name of the tag, unique in the organization regardless of case.
    name: TagName,
}

/// Changes to a tag. Absent fields stay unchanged.
#[derive(Object)]
struct TagUpdate {
    /// Name of the tag, unique in the organization regardless of case.
    name: Option<TagName>,
}

/// A tag: a label for tasks and time entries.
#[derive(Object, Serialize)]
struct Tag {
    /// Id of the tag, which tasks and time entries refer to.
    id: Uuid,
    /// The organization it belongs to.
    organization_id: Uuid,
    /// Display name of the tag.
    name: TagName,
    /// Version number, which is also the `ETag`. Every change increases it.
    version: i64,
    /// When the tag was created.
    created_at: DateTime<Utc>,
    /// When the tag was last changed.
    updated_at: DateTime<Utc>,
}

sort_keys! {
    TagSort of TagKey;
    name: Name,
    created_at: CreatedAt,
}

#[OpenApi(tag = "Group::Tasks")]
impl TagsApi {
    /// List tags
    ///
    /// Returns the tags of the organization, by default sorted by name.
    #[oai(path = "/organizations/:org/tags", method = "get", operation_id = "listTags")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<TasksRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<TagSort>>,
        /// Only tags whose name contains this text, without regard to case and accents.
        q: Query<Option<SearchTerm>>,
    ) -> Result<PageResponse<Tag>> {
        let term = q.0.map(SearchTerm::parse).transpose()?;
        let sort = sort.0.unwrap_or(TagSort::ascending(TagKey::Name));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &term), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = tags::list(&tx, term, paging.listing.clone()).await?;
        Ok(paging.reply(page, Tag::from))
    }

    /// Create a tag
    ///
    /// The name must be unique in the organization; otherwise the error is `TAG_NAME_TAKEN`.
    #[oai(path = "/organizations/:org/tags", method = "post", operation_id = "createTag")]
    async fn create(
        &self,
        org: tenant::Path<TasksCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<TagCreate>,
    ) -> Result<CreatedResponse<Tag>> {
        let once = key.once(org.0.origin(), &draft);
        let name = parse(Some(draft.value.name))?.ok_or(ErrorCode::ValidationFailed.refuse())?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let tag = tags::create(&tx, name).await?;
        let location = format!("/api/v1/organizations/{}/tags/{}", tag.organization_id, tag.id);
        let answer = CreatedResponse::created(location, EntityTag(tag.version), &Tag::from(tag))?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Update a tag
    ///
    /// Changes the name of the tag. Tasks and time entries keep the tag. The error is `TAG_NAME_TAKEN` if
    /// another tag has the new name.
    #[oai(path = "/organizations/:org/tags/:tag", method = "patch", operation_id = "updateTag")]
    async fn change(
        &self,
        org: tenant::Path<TasksUpdate>,
        tag: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<TagUpdate>,
    ) -> Result<WithEtag<Tag>> {
        let id = TagId(tag.0.0);
        let name = patch.body().and_then(|patch| Ok(parse(patch.name)?));
        let tx = self.0.db.begin(org.0).await?;
        let name = missing_first(name, tags::exists(&tx, id)).await?;
        let tag = tags::update(&tx, id, name, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(tag.version), tag.into()))
    }

    /// Delete a tag
    ///
    /// Deletion is permanent. Only unused tags can be deleted; otherwise the error is `TAG_IN_USE`. Deleted
    /// tasks and time entries lose the tag, also if they are restored later.
    #[oai(path = "/organizations/:org/tags/:tag", method = "delete", operation_id = "deleteTag")]
    async fn remove(
        &self,
        org: tenant::Path<TasksDelete>,
        tag: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        time_entries::delete_tag(&tx, TagId(tag.0.0), &expected).await?;
        tx.commit().await?;
        Ok(NoContent)
    }
}

fn parse(name: Option<TagName>) -> Result<Option<text::TagName>, Error> {
    let mut fields = FieldErrors::default();
    let name = fields.parse_optional("name", name.map(|name| text::TagName::parse(&name.0)));
    fields.into_result()?;
    Ok(name)
}

impl From<tags::Tag> for Tag {
    fn from(row: tags::Tag) -> Self {
        Self {
            id: row.id.0,
            organization_id: row.organization_id.0,
            name: TagName(row.name),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
