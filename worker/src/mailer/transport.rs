//! Where e-mails go.

use insula_core::{
    runtime::config::{Config, ConfigError, HostName},
    storage::emails::DevInbox,
};

use super::folder::Folder;
use crate::smtp::Smtp;

/// The transport of e-mails.
pub(super) enum Transport {
    Smtp(Box<Smtp>),
    Folder(Folder),
    Memory(DevInbox),
    Disabled,
}

impl Transport {
    /// Reads the settings, without a connection. `memory` stores e-mails if nothing else is configured. `mail_domain`: of
    /// the sender.
    ///
    /// # Errors
    /// One line with the setting that prevents e-mails.
    pub(super) fn open(
        config: &Config,
        mail_domain: Option<&HostName>,
        memory: Option<DevInbox>,
    ) -> Result<Self, ConfigError> {
        let config_error = |error: String| ConfigError(vec![error]);
        Ok(match (&config.smtp_url, &config.mail_folder, memory) {
            (Some(server), ..) => {
                let smtp = Smtp::new(server, config.mail_helo.as_ref().or(mail_domain), config);
                Transport::Smtp(Box::new(
                    smtp.map_err(|error| config_error(format!("INSULA_SMTP_URL: {error}")))?,
                ))
            }
            (None, Some(folder), _) => {
                let folder = Folder::open(folder);
                Transport::Folder(
                    folder.map_err(|error| config_error(format!("INSULA_MAIL_FOLDER: {error}")))?,
                )
            }
            (None, None, Some(mailbox)) if !config.is_production() => Transport::Memory(mailbox),
            (None, None, _) => Transport::Disabled,
        })
    }
}
