//! Ids in paths: a UUID in its canonical form (RFC 9562 §4). Other forms are refused, so that every resource
//! has exactly one path.

use insula_core::{base::ids::MemberId, tenancy::members::MemberRef};
use poem_openapi::{registry::MetaSchema, types::ParseError};
use uuid::Uuid;

use crate::schema::scalar;

/// The id of a row, in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub Uuid);

scalar!(Id, MetaSchema::new_with_format("string", "uuid"), |text| {
    let id = Uuid::try_parse(text).ok().filter(|id| id.to_string() == text);
    id.map(Self).ok_or_else(|| ParseError::custom("expected a UUID in lower case"))
});

/// A member in a query: an id, or `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberOrMe {
    /// The member who makes the request.
    Me,
    /// The member with this id.
    Member(Uuid),
}

scalar!(
    MemberOrMe,
    MetaSchema {
        pattern: Some("^(me|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$".into()),
        example: Some("me".into()),
        ..MetaSchema::new("string")
    },
    |text| match text {
        "me" => Ok(Self::Me),
        id => match <Id as ::poem_openapi::types::ParseFromParameter>::parse_from_parameter(id) {
            Ok(id) => Ok(Self::Member(id.0)),
            Err(_) => Err(ParseError::custom("expected a UUID in lower case, or `me`")),
        },
    }
);

impl From<MemberOrMe> for MemberRef {
    fn from(member: MemberOrMe) -> Self {
        match member {
            MemberOrMe::Me => Self::Me,
            MemberOrMe::Member(id) => Self::Member(MemberId(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ParseFromParameter;

    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let id = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
        assert_eq!(
            <Id as ::poem_openapi::types::ParseFromParameter>::parse_from_parameter(id)
                .unwrap()
                .0
                .to_string(),
            id
        );
        for other in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            String::new(),
        ] {
            assert!(Id::parse_from_parameter(&other).is_err(), "{other}");
        }
    }
}
