//! `insula serve`, started for one test.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    Client, FakeSmtp, PASSWORD, TestDatabase, TestEnv, concurrency::eventually, process, process::Process,
    services, shared_server, test_env::cheap_passwords,
};

/// What the program prints when it is ready, followed by its address.
const READY: &str = "Insula listens on ";

/// What it prints then, followed by the address of its ops port.
const OPS: &str = "Insula's ops port is ";

/// On a machine that does much else a database is waited for longer than for the 2 s that people wait. Tests about who waits
/// too long set it.
const ACQUIRE_TIMEOUT: (&str, &str) = ("INSULA_DATABASE_ACQUIRE_TIMEOUT", "20");

/// How long it may take to be ready, and to end after SIGTERM.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The real program on a port of its own; killed when dropped, and its output shown when the test has failed.
pub struct Server {
    process: Process,
    url: String,
    stdout: Capture,
    stderr: Capture,
    env: TestEnv,
    fake_smtp: Option<Arc<FakeSmtp>>,
}

/// How a server is to be started.
#[derive(Default)]
pub struct Builder {
    env: Option<TestEnv>,
    arguments: Vec<String>,
    envs: Vec<(String, String)>,
    has_mail: bool,
    ends_with_parent: bool,
}

impl Builder {
    /// Sets one variable of the program's otherwise clean environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.envs.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Uses another database than that of the environment; `Server::database` does not follow.
    pub fn database_url(self, url: &str) -> Self {
        self.env("DATABASE_URL", url)
    }

    /// Adds an argument to `insula serve --port 0`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sends its e-mails to a fake mail server, which an [`crate::Inbox`] reads; the password there is `hunter2`. New
    /// accounts must then verify their e-mail addresses.
    pub fn with_mail(mut self) -> Self {
        self.has_mail = true;
        self
    }

    /// Shows the program a clock that is `seconds` ahead of this machine's, or behind it.
    pub fn clock(self, seconds: i32) -> Self {
        let library = services::faketime().unwrap_or_else(|sentence| panic!("{sentence}"));
        let library = library.to_str().expect("a path of Debian's");
        // How long something takes is measured as ever.
        self.env("LD_PRELOAD", library)
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME", &format!("{seconds:+}"))
    }

    /// For one that is never dropped: it ends with this process.
    pub(crate) fn until_parent_exits(mut self) -> Self {
        self.ends_with_parent = true;
        self
    }

    /// Serves what lies in this place, instead of in a new one.
    pub fn test_env(mut self, env: &TestEnv) -> Self {
        self.env = Some(env.clone());
        self
    }

    /// Starts the program and waits until it listens; panics with its output when it does not.
    pub async fn start(mut self) -> Server {
        let mut fake_smtp = None;
        if self.has_mail {
            let started = FakeSmtp::start().await;
            let url = format!("smtp://user:hunter2@{}", started.address());
            self.envs.push(("INSULA_SMTP_URL".to_owned(), url));
            fake_smtp = Some(Arc::new(started));
        }
        let env = match self.env {
            Some(env) => env,
            None => TestEnv::migrated().await,
        };
        let mut command = env.command(&["serve", "--port", "0"]);
        command
            .args(&self.arguments)
            .envs([ACQUIRE_TIMEOUT])
            .envs(cheap_passwords(&self.envs))
            .envs(self.envs);
        let mut stop_signal = "KILL";
        if self.ends_with_parent {
            // It ends when its input does.
            (command, stop_signal) = (shared_server::until_parent_exits(&command), "CONT");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            Process::start(&mut command, stop_signal).unwrap_or_else(|error| panic!("insula serve: {error}"));
        let (ready, listens) = oneshot::channel();
        let stdout = Capture::of(process.pipes().stdout.take(), Some(ready));
        let stderr = Capture::of(process.pipes().stderr.take(), None);
        // From here on a panic shows the output, because the server is dropped.
        let mut server = Server { process, url: String::new(), stdout, stderr, env, fake_smtp };
        match tokio::time::timeout(TIMEOUT, listens).await {
            Ok(Ok(url)) => server.url = url,
            Ok(Err(_)) => {
                panic!("insula serve ended before it listened: {:?}", server.process.wait(TIMEOUT))
            }
            Err(_) => panic!("insula serve did not listen within {TIMEOUT:?}"),
        }
        server
    }
}

impl Builder {
    /// As [`Builder::start`], with an operator of the platform, who is signed in.
    pub async fn start_with_superuser(self) -> (Server, Client) {
        let server = self.with_first_superuser().start().await;
        let superuser = server.client().log_in(Server::SUPERUSER, PASSWORD).await;
        (server, superuser)
    }

    /// Has it make the operator, whose password is [`PASSWORD`].
    pub(crate) fn with_first_superuser(self) -> Self {
        self.env("INSULA_FIRST_SUPERUSER_EMAIL", Server::SUPERUSER)
            .env("INSULA_FIRST_SUPERUSER_PASSWORD", PASSWORD)
    }
}

impl Server {
    /// The address of the operator of [`Builder::start_with_superuser`].
    pub const SUPERUSER: &str = "root@example.com";

    /// With the defaults of the program, in a new environment.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// To say how it differs from the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// With an operator of the platform, who is signed in.
    pub async fn with_superuser() -> (Self, Client) {
        Self::builder().start_with_superuser().await
    }

    /// The absolute URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// One who has not signed in.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client of its ops port; waits until the port is open.
    pub async fn ops_client(&self) -> Client {
        let mut url = None;
        eventually("an ops port", async || {
            let text = self.stdout.text();
            url = text.lines().find_map(|line| line.strip_prefix(OPS)).map(str::to_owned);
            url.is_some()
        })
        .await;
        Client::new(&url.expect("it was waited for"))
    }

    /// The memory that it has now, in bytes; 0 where the system does not tell.
    pub fn memory(&self) -> u64 {
        process::memory(self.process.id(), "VmRSS").unwrap_or_default()
    }

    /// The most memory that it has had since its start or since [`Server::reset_peak_memory`], in bytes; 0 where the system does
    /// not tell.
    pub fn peak_memory(&self) -> u64 {
        process::memory(self.process.id(), "VmHWM").unwrap_or_default()
    }

    /// From now on its peak is counted anew; `false` where the system cannot.
    pub fn reset_peak_memory(&self) -> bool {
        process::reset_peak_memory(self.process.id())
    }

    /// Makes every write fail that would make a file larger than this, like a full disk; `None`: no limit.
    pub fn limit_files(&self, bytes: Option<u64>) {
        process::limit_files(self.process.id(), bytes);
    }

    /// Where it lives; a clone of it outlives the server.
    pub fn test_env(&self) -> &TestEnv {
        &self.env
    }

    /// Opens its database.
    pub async fn database(&self) -> TestDatabase {
        self.env.database().await
    }

    /// The mail server that it was started with; panics where there is none.
    pub fn fake_smtp(&self) -> &Arc<FakeSmtp> {
        self.fake_smtp.as_ref().expect("a server with mail: `Server::builder().with_mail()`")
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Asks it to end (SIGTERM) and waits until it has; panics when it does not within 30 s.
    pub async fn terminate(mut self) -> Output {
        self.process.signal("TERM");
        let ended = tokio::task::spawn_blocking(move || (self.process.wait(TIMEOUT), self)).await;
        let (status, mut server) = ended.expect("waiting does not panic");
        let status =
            status.unwrap_or_else(|| panic!("insula serve did not end within {TIMEOUT:?} after SIGTERM"));
        Output { status, stdout: server.stdout.finish().into(), stderr: server.stderr.finish().into() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- insula serve, stdout\n{}--- stderr\n{}---",
                self.stdout.text(),
                self.stderr.text()
            );
        }
    }
}

/// What comes out of a pipe, read by a thread so that it never fills up.
struct Capture {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(pipe: Option<impl Read + Send + 'static>, mut ready: Option<oneshot::Sender<String>>) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = pipe.map(|pipe| {
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(url) = line.strip_prefix(READY)
                        && let Some(ready) = ready.take()
                    {
                        // Nobody waits any more: then nobody needs it.
                        drop(ready.send(url.trim().to_owned()));
                    }
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push_str(&line);
                    kept.push('\n');
                }
            })
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of it; the program must have ended.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }
}
