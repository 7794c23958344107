//! `insula support-bundle`: collects what is needed to answer an issue in one archive, without secrets and personal data.

mod archive;
mod database;
mod logs;
mod redaction;

use std::path::PathBuf;

use archive::BundleFile;
use indicatif::HumanBytes;
use insula_api::VERSION;
use insula_core::{
    base::clock::Clock,
    runtime::config::{Config, Sources},
};
use redaction::Redactor;
use serde_json::json;

use super::{CliError, config, doctor, healthcheck, http_get, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The archive to write (`.tar.gz`). It must not exist. Without it: `insula-support-<time>.tar.gz` in this folder
    file: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, sources: &Sources, args: &Args) -> Result<(), CliError> {
    let time = Clock::System.now().format("%Y%m%dT%H%M%SZ").to_string();
    let file = args.file.clone().unwrap_or_else(|| format!("insula-support-{time}.tar.gz").into());
    // Early, because the checks can take half a minute.
    let output = archive::create(&file)?;
    let redactor = Redactor::new(sources);
    let files = collect(config, sources, &time).await;
    let files: Vec<_> = files
        .into_iter()
        .map(|BundleFile { name, text }| BundleFile { name, text: redactor.redact(&text) })
        .collect();
    let size = archive::write(output, &file, &files)?;
    for BundleFile { name, text } in &files {
        say(format_args!("{name}  {}", HumanBytes(text.len() as u64)));
    }
    if config.log_dir.is_none() {
        say("no log lines are included, because INSULA_LOG_DIR is not set");
    }
    say(format_args!("wrote {} ({})", file.display(), HumanBytes(size)));
    say(
        "secrets, e-mail addresses, public IP addresses and ids of users are hidden; look through the files before you send them",
    );
    Ok(())
}

async fn collect(config: &Config, sources: &Sources, time: &str) -> Vec<BundleFile> {
    let about = json!({
        "version": VERSION,
        "environment": config.environment.as_str(),
        "created_at": time,
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
    });
    let mut files = vec![
        BundleFile::new("version.json", format!("{about:#}\n")),
        BundleFile::new("configuration.txt", config::values(sources) + "\n"),
        BundleFile::new("doctor.json", format!("{:#}\n", doctor::report(config).await)),
        BundleFile::new("metrics.txt", metrics(config).await),
    ];
    files.extend(database::collect(config).await);
    files.extend(config.log_dir.as_deref().map(logs::tails).unwrap_or_default());
    files
}

/// The metrics of the process on this machine, or why there are none.
async fn metrics(config: &Config) -> String {
    let url = format!("http://{}/metrics", healthcheck::address(config));
    match http_get::get(&url, config).await {
        Ok(reply) if reply.status == 200 => String::from_utf8_lossy(&reply.body).into_owned(),
        Ok(reply) => format!("{url} answers {}\n", reply.status),
        Err(error) => format!("{error}\n"),
    }
}
