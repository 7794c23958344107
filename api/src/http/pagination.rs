//! Pages of lists: the parameters and the response.

use std::{fmt::Debug, sync::Arc};

use insula_core::base::{
    error::Error,
    pagination::{self, CursorCodec, Sort},
};
use poem::{
    IntoResponse, Request, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaResponses, MetaSchema, Registry},
    types::{ParseError, ParseFromJSON, ToJSON, Type},
};
use serde::Serialize;

use super::{Cursor, JsonResponse};
use crate::{operations::Operation, schema::scalar};

/// Maximum number of items per page: 1..=100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u64);

impl Limit {
    const DEFAULT: u64 = 20;
    const MAX: u64 = 100;
}

/// One page of a list.
#[derive(Object, Serialize)]
#[oai(rename = "Page")]
pub struct ListPage<T: Send + Sync + ParseFromJSON + ToJSON + Type> {
    /// The items of the page.
    pub data: Vec<T>,
    /// Send it as `cursor` to get the next page; `null` on the last page.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
    /// Whether there is another page.
    pub has_more: bool,
}

/// The paging of one list request.
pub struct ListRequest<'a, K> {
    cursors: &'a CursorCodec,
    request: &'a Request,
    list: String,
    /// The requested page, for the operation.
    pub listing: pagination::PageRequest<K>,
}

impl<'a, K: Copy + Debug> ListRequest<'a, K> {
    /// `scope` is what the operation lists: the organization or the user, and the filters. A cursor is valid only
    /// for the same operation, scope and sort order.
    ///
    /// # Errors
    /// `INVALID_CURSOR`.
    pub fn new(
        cursors: &'a CursorCodec,
        request: &'a Request,
        scope: impl Debug,
        (limit, sort, cursor): (Option<Limit>, impl Into<Sort<K>>, Option<Cursor>),
    ) -> Result<Self, Error> {
        let operation = request.data::<Arc<Operation>>().ok_or(Error::Internal("a list has no operation"))?;
        let sort = sort.into();
        let list = format!("{} {scope:?} {sort:?}", operation.id);
        let limit = limit.map_or(Limit::DEFAULT, |Limit(limit)| limit);
        let after = cursor.map(|Cursor(cursor)| cursors.decode(&list, &cursor)).transpose()?;
        Ok(Self { cursors, request, list, listing: pagination::PageRequest { limit, sort, after } })
    }

    /// The response with the page of the operation; `show` converts its rows.
    pub fn reply<R, T>(&self, page: pagination::Page<R>, show: impl Fn(R) -> T) -> PageResponse<T>
    where
        T: Send + Sync + ParseFromJSON + ToJSON + Type,
    {
        let next_cursor = page.next.map(|after| self.cursors.encode(&self.list, &after));
        let link = next_cursor.as_deref().and_then(|cursor| self.link(cursor));
        let data = page.data.into_iter().map(show).collect();
        PageResponse { page: ListPage { data, has_more: next_cursor.is_some(), next_cursor }, link }
    }

    /// The `Link` header with the next page: the URL of this request with another cursor (RFC 8288 §3).
    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let uri = self.request.original_uri();
        let link =
            format!("<{}?{}>; rel=\"next\"", uri.path(), next(uri.query().unwrap_or_default(), cursor));
        HeaderValue::from_str(&link).ok()
    }
}

/// `query` with `cursor` in place of its own cursor, whatever the percent-encoding of that parameter.
fn next(query: &str, cursor: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("cursor", cursor).finish()
}

/// 200 with one page, and a `Link` to the next one.
pub struct PageResponse<T: Send + Sync + ParseFromJSON + ToJSON + Type> {
    page: ListPage<T>,
    link: Option<HeaderValue>,
}

impl<T: Send + Sync + Serialize + ParseFromJSON + ToJSON + Type> IntoResponse for PageResponse<T> {
    fn into_response(self) -> Response {
        let mut response = JsonResponse(self.page).into_response();
        if let Some(link) = self.link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

impl<T: Send + Sync + Serialize + ParseFromJSON + ToJSON + Type> ApiResponse for PageResponse<T> {
    fn meta() -> MetaResponses {
        JsonResponse::<ListPage<T>>::meta()
    }

    fn register(registry: &mut Registry) {
        ListPage::<T>::register(registry);
    }
}

scalar!(
    Limit,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(100.0),
        default: Some(Self::DEFAULT.into()),
        ..MetaSchema::new("integer")
    },
    |text| {
        let limit = text.parse().ok().filter(|limit| (1..=Self::MAX).contains(limit));
        limit.map(Self).ok_or_else(|| ParseError::custom("expected a number from 1 to 100"))
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_of_a_query_is_replaced() {
        for (query, expected) in [
            ("", "cursor=N"),
            ("&", "cursor=N"),
            ("&&limit=1&", "limit=1&cursor=N"),
            ("cursor=C", "cursor=N"),
            ("limit=1&%63ursor=C", "limit=1&cursor=N"),
            ("%63%75%72%73%6f%72=C&sort=-name", "sort=-name&cursor=N"),
            ("q=a%26cursor%3Db&cursor=C", "q=a%26cursor%3Db&cursor=N"),
            ("q=J%C3%BCrgen+a%20b%2B&status=a&status=b", "q=J%C3%BCrgen+a+b%2B&status=a&status=b&cursor=N"),
            ("q=%22%3E%3Cx%0D%0A", "q=%22%3E%3Cx%0D%0A&cursor=N"),
        ] {
            assert_eq!(next(query, "N"), expected, "{query}");
        }
    }
}
