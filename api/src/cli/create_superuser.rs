//! `insula create-superuser`: ensures that an account exists and is a superuser.

use std::io::{BufRead, IsTerminal, stdin};

use insula_core::{
    Error,
    base::{crypto::Secret, error::ErrorCode, permissions::AuditOrigin, text::EmailAddress},
    identity::credentials::{self, Passwords},
    lifecycle::accounts,
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup},
    storage::db::Db,
};

use super::{CliError, database, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// E-mail address of the superuser; prompted for if omitted
    #[arg(long)]
    email: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<(), CliError> {
    let email = match args.email {
        Some(email) => email,
        None if stdin().is_terminal() => ask("E-mail address: ")?,
        None => return Err(CliError::failed("pass the e-mail address with --email")),
    };
    let password = match args.password_stdin {
        true => first_line()?,
        false if stdin().is_terminal() => rpassword::prompt_password("Password: ")?,
        false => return Err(CliError::failed("pass the password on stdin, with --password-stdin")),
    };
    if config.migrates_on_start() {
        super::migrate::up(config).await?;
    }
    let db = database::connect(config, Cluster::default(), JobWakeup::default()).await?;
    let made = ensure(&db, &Passwords::new()?, &email, Secret::new(password)).await?;
    db.close().await;
    say(match made {
        true => format!("{email} is now a superuser"),
        false => format!("{email} is already a superuser; nothing was changed"),
    });
    Ok(())
}

/// Ensures that `email` is a superuser. An existing one keeps their password. Returns whether an account was created or
/// promoted.
pub(super) async fn ensure(
    db: &Db,
    passwords: &Passwords,
    email: &str,
    password: Secret<String>,
) -> Result<bool, CliError> {
    credentials::refuse_weak("password", &password, &[email])?;
    let email = EmailAddress::parse(email)
        .map_err(|error| CliError::failed(format!("e-mail address: {}", error.message)))?;
    let hash = passwords.hash(password).await?;
    let ensure = async || {
        let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
        let made = accounts::ensure_superuser(&tx, email.clone(), hash.clone()).await?;
        tx.commit().await?;
        Ok::<_, Error>(made)
    };
    match ensure().await {
        // Another process that starts at the same time created it.
        Err(error) if error.code() == ErrorCode::EmailTaken => Ok(ensure().await?),
        made => Ok(made?),
    }
}

#[expect(clippy::print_stderr, reason = "a prompt, which a pipe must not see")]
fn ask(question: &str) -> Result<String, CliError> {
    eprint!("{question}");
    first_line()
}

fn first_line() -> Result<String, CliError> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
