//! One server for many concurrent tests, each with its own users and organizations.

use std::{
    ops::Deref,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use tokio::sync::OnceCell;

use crate::{Builder, Client, PASSWORD, Server};

/// Runs the program until the end of its input, which comes with the end of the parent process, because statics are never
/// dropped. Then it removes the folder.
const UNTIL_INPUT_ENDS: &str = r#"trap "" HUP INT TERM; "$@" </dev/null & server=$!; cat >/dev/null
kill -KILL "$server"; wait "$server"; rm -rf "$INSULA_DATA_DIR""#;

/// Many tests at once share one IP address, and wait for one writer of SQLite.
const LIMITS: [(&str, &str); 3] = [
    ("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60"),
    ("INSULA_MAX_CONNECTIONS_PER_PEER", "10000"),
    ("INSULA_MAX_REQUESTS", "1000"),
];

/// Number of log lines that a failed test prints.
const LINES: usize = 60;

/// A server that other tests may use. A test must count and change only its own users and organizations.
pub struct SharedServer {
    server: Arc<Server>,
    domain: String,
}

impl Server {
    /// The server of this process for tests without special settings and without exact numbers of the whole installation. It
    /// has a superuser and the default settings, but for limits that many tests at once would reach. The first call starts
    /// it.
    pub async fn shared() -> SharedServer {
        static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
        SharedServer::start_once(&SHARED, Self::builder()).await
    }

    /// As [`Server::shared`], with a fake mail server. [`crate::Inbox::own`] reads the e-mails of one test.
    pub async fn shared_with_mail() -> SharedServer {
        static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
        SharedServer::start_once(&SHARED, Self::builder().with_mail()).await
    }
}

impl SharedServer {
    /// The server of a static, for one more test with the same settings. The first call starts it.
    pub async fn start_once(shared: &OnceCell<Arc<Server>>, builder: Builder) -> Self {
        let start = async || {
            let builder = LIMITS.iter().fold(builder, |builder, (name, value)| builder.env(name, value));
            Arc::new(builder.until_parent_exits().with_first_superuser().start().await)
        };
        let server = shared.get_or_init(start).await;
        Self { server: Arc::clone(server), domain: format!("{}.example.com", unique("host")) }
    }

    /// An e-mail address that no other test has: `ada` -> `ada@host-7.example.com`; `ada@example.com` on a separate server.
    pub fn email(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// SQL for the ids of the users of this test: those with an address of [`SharedServer::email`].
    pub fn own_users(&self) -> String {
        format!("(SELECT id FROM users WHERE email_canonical LIKE '{}')", self.email("%"))
    }

    /// Registers a user with this name as [`SharedServer::email`], and logs them in.
    pub async fn register(&self, name: &str) -> Client {
        self.client().register(&self.email(name)).await
    }

    /// The superuser, logged in. On the shared server they may change only the organizations of the test.
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
        // A test with its own server drops it here, which prints the whole log.
        if std::thread::panicking() && Arc::strong_count(&self.server) > 1 {
            let log = self.server.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES)..];
            eprintln!("--- the shared insula serve, end of stderr\n{}\n---", last.join("\n"));
        }
    }
}

/// A word that no other test of this process has, for slugs and domains: `acme` -> `acme-7`.
pub fn unique(word: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("{word}-{}", NUMBER.fetch_add(1, Relaxed))
}

/// The same command, run by a shell that kills it when this process ends.
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
