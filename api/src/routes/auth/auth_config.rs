//! `/auth/config`: what a console must know before anybody logs in.

use std::sync::Arc;

use insula_core::identity::credentials::{Passwords, shortest};
use poem::Request;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    http::JsonResponse,
    operations::check_query,
    problem::{ProblemWith, Result},
    state::State,
};

pub struct AuthConfigApi(pub Arc<State>);

/// How accounts work on this installation.
#[derive(Object, Serialize)]
struct AuthConfig {
    /// Does it send mail? Then new accounts must verify their address before they can do anything.
    mail: bool,
    /// Is it hidden which addresses have an account? Then a registration is answered with 202.
    hide_existing_accounts: bool,
    /// Fewest characters of a password.
    password_min_length: usize,
    /// Most characters of a password.
    password_max_length: usize,
}

#[OpenApi(tag = "Tag::Authentication")]
impl AuthConfigApi {
    /// Look at how accounts work here
    #[oai(path = "/auth/config", method = "get", operation_id = "getAuthConfig")]
    async fn get(&self, request: &Request) -> Result<JsonResponse<AuthConfig>, ProblemWith<422>> {
        check_query(request)?;
        let mail = &self.0.mail;
        Ok(JsonResponse(AuthConfig {
            mail: mail.is_configured,
            hide_existing_accounts: mail.hides_accounts,
            password_min_length: shortest(),
            password_max_length: *Passwords::LENGTH.end(),
        }))
    }
}
