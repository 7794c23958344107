//! `insula openapi`: prints the OpenAPI document, as it is served and committed.

use super::Fault;

pub(super) fn run() -> Result<(), Fault> {
    let document = insula_api::app::document().map_err(Fault::failed)?;
    super::say(serde_json::to_string_pretty(&document).map_err(Fault::failed)?);
    Ok(())
}
