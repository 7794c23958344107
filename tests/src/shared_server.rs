//! One server that many tests use at the same time, each with people and organizations of its own.

use std::{
    ops::Deref,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use tokio::sync::OnceCell;

use crate::{Client, PASSWORD, Server};

/// Runs the program until its own input ends, which it does with the process that started it, however that ends: statics
/// are never dropped. Then it removes the folder.
const UNTIL_INPUT_ENDS: &str = r#"trap "" HUP INT TERM; "$@" </dev/null & server=$!; cat >/dev/null
kill -KILL "$server"; wait "$server"; rm -rf "$INSULA_DATA_DIR""#;

/// How many lines of its log are shown when a test has failed.
const LINES: usize = 60;

/// A server that may have other users: what it holds besides a test's own people and organizations is not the test's to
/// count or to change.
pub struct SharedServer {
    server: Arc<Server>,
    domain: String,
}

impl Server {
    /// The one server of this process for every test that needs no setting of its own, nor exact numbers of the whole
    /// installation; with the defaults of every server here, and an operator. The first that asks starts it.
    pub async fn shared() -> SharedServer {
        static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
        let builder = || Self::builder().until_parent_exits().with_first_superuser();
        let start = || async { Arc::new(builder().start().await) };
        let server = Arc::clone(SHARED.get_or_init(start).await);
        SharedServer { server, domain: format!("{}.example.com", unique("host")) }
    }
}

impl SharedServer {
    /// The address of somebody, which nobody else has who asked for the shared server: `ada` -> `ada@host-7.example.com`;
    /// `ada@example.com` on a server that one test has alone.
    pub fn email(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// Signs up somebody who has this address here, and signs him in.
    pub async fn register(&self, name: &str) -> Client {
        self.client().register(&self.email(name)).await
    }

    /// The operator of the platform, signed in; the shared server has one, for what he does to one organization.
    pub async fn superuser(&self) -> Client {
        self.client().log_in(Server::SUPERUSER, PASSWORD).await
    }
}

impl From<Server> for SharedServer {
    fn from(server: Server) -> Self {
        Self { server: Arc::new(server), domain: "example.com".to_owned() }
    }
}

impl Deref for SharedServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for SharedServer {
    fn drop(&mut self) {
        // Whoever has it alone ends it, and it shows all of its log.
        if std::thread::panicking() && Arc::strong_count(&self.server) > 1 {
            let log = self.server.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES)..];
            eprintln!("--- the shared insula serve, end of stderr\n{}\n---", last.join("\n"));
        }
    }
}

/// A word that no other test of this process has: `acme` -> `acme-7`. Good for slugs and for domains of addresses.
pub fn unique(word: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("{word}-{}", NUMBER.fetch_add(1, Relaxed))
}

/// The same command, run by a shell that ends it when we end.
pub(crate) fn until_parent_exits(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", UNTIL_INPUT_ENDS, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::piped());
    shell
}
