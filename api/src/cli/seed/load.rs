//! `insula seed load`: creates thousands of organizations and time entries, to test that size does not
//! matter.

use indicatif::{ProgressBar, ProgressStyle};
use insula_core::{
    base::{
        crypto::random_word,
        ids::UserId,
        permissions::AuditOrigin,
        text::{Name, Slug},
    },
    lifecycle::{accounts, load_data},
    tenancy::organizations::NewOrganization,
};

use super::{
    super::{CliError, say},
    Seed,
};

/// The amount of data to create.
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// Number of organizations
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    organizations: u32,
    /// Total number of time entries
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    entries: u32,
}

/// Creates the data, all owned by one user.
pub(super) async fn run(seed: &Seed<'_>, args: &Args) -> Result<(), CliError> {
    let owner = seed.person("Lola", "Load").await?;
    let run = random_word(9);
    // The bar draws nothing if stderr is not a terminal.
    let bar = ProgressBar::new(args.entries.into());
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} entries, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    for number in 0..args.organizations {
        let org = create_organization(seed, owner, &format!("load-{run}-{number}")).await?;
        // Each organization gets its share. The shares of the first ones are larger by one.
        let (share, rest) = (args.entries / args.organizations, args.entries % args.organizations);
        let entries = share + u32::from(number < rest);
        load_data::fill(seed.db, org, entries, |done| bar.inc(done.into())).await?;
    }
    bar.finish_and_clear();
    say(format_args!(
        "created {} organizations with {} time entries: `load-{run}-0` and so on",
        args.organizations, args.entries
    ));
    Ok(())
}

async fn create_organization(
    seed: &Seed<'_>,
    owner: UserId,
    slug: &str,
) -> Result<insula_core::base::ids::OrgId, CliError> {
    let (Ok(name), Ok(slug)) = (Name::parse(slug), Slug::parse(slug)) else {
        return Err(CliError::failed("a name of the load data is invalid"));
    };
    let tx = seed.db.begin_global(AuditOrigin::SYSTEM).await?;
    let organization = accounts::create_organization(&tx, owner, NewOrganization { name, slug }).await?;
    tx.commit().await?;
    Ok(organization.id)
}
