//! `insula healthcheck`: asks the process on this machine whether it is healthy, for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use insula_core::runtime::config::Config;

use super::{CliError, http_get, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Ask whether the process accepts requests now (`/readyz`), not only whether it works (`/livez`)
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    let url = format!("http://{}{}", address(config), if args.ready { "/readyz" } else { "/livez" });
    let reply = http_get::get(&url, config).await.map_err(CliError::failed)?;
    if reply.status != 200 {
        let body = String::from_utf8_lossy(&reply.body);
        return Err(CliError::failed(format_args!("{url} answers {}: {}", reply.status, body.trim())));
    }
    say("healthy");
    Ok(())
}

/// The ops port, or the port of the API if the ops port is any free one.
pub(super) fn address(config: &Config) -> SocketAddr {
    let mut address = if config.ops_bind.port() == 0 { config.bind } else { config.ops_bind };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
