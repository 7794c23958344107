//! `org: tenant::Path<ProjectsRead>` in a handler: the `{org}` of the path, in which the caller holds that permission.
//!
//! It is the first argument, so that 401, 404 and 403 are answered before the body is read. Its name must be `Path`:
//! poem-openapi numbers path parameters by the arguments whose type has this name.

use insula_core::{
    base::permissions::{Authorized, RequiredPermission},
    tenancy::organizations::OrgRef,
};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
};

use crate::{
    auth::{
        context,
        extractors::{self, SCHEMES},
    },
    middleware::rate_limit,
    operations::check_query,
    problem::Problem,
};

/// Proof that the caller holds `P` in the organization of the path.
pub struct Path<P>(pub Authorized<P>);

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
        SCHEMES.to_vec()
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    /// The title is the permission. The document publishes it as `x-permission`.
    fn param_schema_ref() -> Option<MetaSchemaRef> {
        // Leaked once per operation, when the document is generated.
        let description: &'static str = match P::PERMISSION {
            Some(permission) => Box::leak(
                format!("The id or slug of an organization in which you have the permission `{permission}`.")
                    .into_boxed_str(),
            ),
            None => "The id or slug of an organization of which you are a member.",
        };
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            title: P::PERMISSION.map(|permission| permission.to_string()),
            description: Some(description),
            example: Some("acme".into()),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        let state = context::state(request, body).await?;
        let (caller, _) = extractors::caller(state, request).await.map_err(Problem)?;
        let org = OrgRef::parse(request.raw_path_param(options.name).unwrap_or_default());
        let proof = state.callers.authorize(&caller, &org).await.map_err(Problem)?;
        let (user, org) = (caller.claims.user, Some(proof.org()));
        rate_limit::by_person_and_organization(state, request, user, org).await.map_err(Problem)?;
        check_query(request).map_err(Problem)?;
        Ok(Self(proof))
    }
}
