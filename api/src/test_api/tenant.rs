//! An organization in which the caller has the permission `P`, documented and refused like the real extractor.

use std::marker::PhantomData;

use insula_core::base::{
    error::{Error, ErrorCode, MissingPermission},
    permissions::RequiredPermission,
};
use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
};

use super::ID;
use crate::{auth::extractors, middleware::access_log::Subject, operations, problem::Problem};

pub(crate) struct Path<P>(PhantomData<fn() -> P>);

impl<'a, P: RequiredPermission> ApiExtractor<'a> for Path<P> {
    const TYPES: &'static [ApiExtractorType] =
        &[ApiExtractorType::SecurityScheme, ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = String;
    type ParamRawType = String;

    fn register(registry: &mut Registry) {
        extractors::register_schemes(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        extractors::SCHEMES.to_vec()
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let title = P::PERMISSION.map(|permission| permission.as_str().to_owned());
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema { title, ..MetaSchema::new("string") })))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        let token =
            request.header(header::AUTHORIZATION).ok_or(Problem(ErrorCode::Unauthenticated.refuse()))?;
        if token != "Bearer good" {
            return Err(Problem(ErrorCode::InvalidToken.refuse()).into());
        }
        Subject::note(request, ID);
        match (request.raw_path_param(options.name), P::PERMISSION) {
            (Some("acme"), _) => {}
            (Some("poor"), Some(permission)) => {
                let roles_that_grant = vec!["owner".to_owned()];
                let missing = MissingPermission { permission, roles_held: vec![], roles_that_grant };
                return Err(Problem(Error::Forbidden(Box::new(missing))).into());
            }
            _ => return Err(Problem(Error::NotFound("organization")).into()),
        }
        operations::check_query(request).map_err(Problem)?;
        Ok(Self(PhantomData))
    }
}
