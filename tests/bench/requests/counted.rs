//! Statements and round trips per request, by a second server whose connections to the database are counted.

use std::{sync::Arc, time::Duration};

use insula_tests::{InsulaProcess, console, services};

use super::{
    rounds,
    wire::{self, WireCounts},
    works::{Script, Work},
};
use crate::{setup::Setup, wrk};

/// Statements and round trips per request of each work, in the order of the works.
pub(super) async fn measure(setup: &Setup, works: &[Work]) -> Result<Vec<[f64; 2]>, String> {
    let counts = Arc::<WireCounts>::default();
    let env = setup.cluster.env();
    let url = env.database_url();
    let host = url.split(['@', '/']).nth(3).ok_or("a URL without a host")?;
    let proxy = wire::start(host.to_owned(), Arc::clone(&counts)).await?;
    let url = url.replace(host, &format!("127.0.0.1:{proxy}"));
    let port = services::free_port()?.to_string();
    let envs = [("DATABASE_URL".to_owned(), url), ("INSULA_OPS_BIND".to_owned(), "127.0.0.1:0".to_owned())];
    let arguments = ["serve", "--port", &port, "--no-worker"];
    let mut server = InsulaProcess::new("counted", env, &arguments, &envs, "Insula listens on");
    server.start().await?;
    let url = format!("http://127.0.0.1:{port}");
    let mut results = Vec::new();
    for work in works {
        console::progress(&format!("counting statements: {}", work.name));
        let script = match &work.script {
            Script::Same(script) => script.clone(),
            Script::Refresh => rounds::refresh(setup).await?,
        };
        let before = counts.read();
        let load = wrk::run(env.folder(), &url, &script, 1, 1).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let after = counts.read();
        results.push([0, 1].map(|index: usize| (after[index] - before[index]) / load.requests.max(1.0)));
    }
    server.kill();
    Ok(results)
}
