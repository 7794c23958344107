//! `/auth/config`: settings that a client needs before login.

use std::sync::Arc;

use insula_core::identity::credentials::{Passwords, min_length};
use poem::Request;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    http::JsonResponse,
    operations::check_query,
    problem::{ProblemWith, Result},
    state::AppState,
};

pub struct AuthConfigApi(pub Arc<AppState>);

/// Authentication settings of this installation.
#[derive(Object, Serialize)]
struct AuthConfig {
    /// Whether the installation sends e-mail. If so, new users must verify their e-mail address before they
    /// can do anything else.
    mail: bool,
    /// Whether the API hides which e-mail addresses have an account. If so, registration is
    /// always answered with 202.
    hide_existing_accounts: bool,
    /// Minimum length of a password, in characters.
    password_min_length: usize,
    /// Maximum length of a password, in characters.
    password_max_length: usize,
}

#[OpenApi(tag = "Tag::Authentication")]
impl AuthConfigApi {
    /// Get the authentication settings
    ///
    /// Returns what a client needs to know before login, such as the length limits of passwords. No
    /// authentication is needed.
    #[oai(path = "/auth/config", method = "get", operation_id = "getAuthConfig")]
    async fn get(&self, request: &Request) -> Result<JsonResponse<AuthConfig>, ProblemWith<422>> {
        check_query(request)?;
        let mail = &self.0.mail;
        Ok(JsonResponse(AuthConfig {
            mail: mail.is_configured,
            hide_existing_accounts: mail.hides_accounts,
            password_min_length: min_length(),
            password_max_length: *Passwords::LENGTH.end(),
        }))
    }
}
