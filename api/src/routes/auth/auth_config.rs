//! `/auth/config`: settings that a client needs before login.

use std::sync::Arc;

use insula_core::{
    identity::credentials::{Passwords, min_length},
    runtime::config::Environment,
};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    VERSION,
    http::{JsonResponse, Locale, Name},
    operations::check_query,
    problem::{ProblemWith, Result},
    state::AppState,
};

pub struct AuthConfigApi(pub Arc<AppState>);

crate::texts! {
    /// A version of the program, as in Semantic Versioning.
    VersionText { length: 1..=50, example: "0.1.0" }
    /// A path on this server.
    LogoPath { length: 1..=100, example: "/brand/logo-8a3f0c51d7e9b264.svg" }
}

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
    /// Whether everybody can register. If not, an invitation or a superuser is needed.
    registration: bool,
    /// Name of the product, for display.
    product_name: Name,
    /// Path of the logo on this server. `null`: the installation has no logo of its own.
    #[oai(nullable)]
    logo_path: Option<LogoPath>,
    /// Environment of the installation.
    environment: EnvironmentName,
    /// Version of the program. It is also in the header `X-Insula-Version` of every response.
    version: VersionText,
    /// Languages in which e-mails are written, as BCP 47 language tags.
    locales: Vec<Locale>,
    /// Seconds after a login or re-authentication in which sensitive operations are allowed.
    step_up_ttl: u64,
}

/// Environment of an installation.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "Environment")]
#[serde(rename_all = "snake_case")]
enum EnvironmentName {
    /// For developers.
    Development,
    /// For real users.
    Production,
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
            registration: true,
            product_name: Name(self.0.branding.product.clone()),
            logo_path: self.0.branding.logo_path().map(|path| LogoPath(path.to_owned())),
            environment: match self.0.environment == Environment::Production.as_str() {
                true => EnvironmentName::Production,
                false => EnvironmentName::Development,
            },
            version: VersionText(VERSION.to_owned()),
            locales: self.0.locales.iter().cloned().map(Locale).collect(),
            step_up_ttl: self.0.policy.step_up.as_secs(),
        }))
    }
}
