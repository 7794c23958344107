//! `insula email`: sends a test e-mail.

use insula_core::{
    base::{crypto::MasterKey, text::EmailAddress},
    identity::one_time_tokens::EmailTokens,
    runtime::{config::Config, rate_limit::RateLimiter},
};
use insula_worker::Mailer;

use super::{CliError, say};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Send a test e-mail with the configured mail server or folder, and show each step
    Test {
        /// E-mail address of the recipient
        address: String,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), CliError> {
    let Command::Test { address } = command;
    let address = EmailAddress::parse(address)
        .map_err(|error| CliError::failed(format!("e-mail address: {}", error.message)))?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.bind));
    // The test e-mail has no link, so any key works.
    let mail = EmailTokens::new(&MasterKey::new(String::new()), config);
    let mailer = Mailer::open(config, mail, &public_url, None, RateLimiter::new(config, None))?;
    match mailer.send_test(address.as_str(), &|step| say(step)).await {
        Ok(message_id) => {
            say(format_args!("sent to {}, Message-ID {message_id}", address.as_str()));
            Ok(())
        }
        Err(error) => {
            let text = format!("{}\n{}", error.what, error.hint);
            Err(if error.is_not_configured { CliError::config(text) } else { CliError::unavailable(text) })
        }
    }
}
