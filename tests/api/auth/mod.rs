//! Registration, login, tokens, sessions and the e-mailed links that prove an e-mail address.

mod access_tokens;
mod cookies;
mod email_verification;
mod email_verification_devices;
mod failed_logins;
mod hidden_accounts;
mod password_normalization;
mod password_reset;
mod passwords;
mod refresh;
mod refresh_lost;
mod registration_and_login;
mod sessions;
mod step_up;
