//! `insula openapi`: prints the OpenAPI document, as it is served and committed.

use super::CliError;

pub(super) fn run() -> Result<(), CliError> {
    let document = insula_api::app::document().map_err(CliError::failed)?;
    super::say(serde_json::to_string_pretty(&document).map_err(CliError::failed)?);
    Ok(())
}
