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
    Client, FakeSmtp, PASSWORD, TestDatabase, TestEnv, concurrency::eventually, log_check::LogFile, process,
    process::Process, services, shared_server, test_env::cheap_passwords,
};

/// What the program prints when it is ready, followed by its address.
const READY: &str = "Insula listens on ";

/// What it prints then, followed by the address of its ops port.
const OPS: &str = "Insula's ops port is ";

/// A busy machine needs a longer timeout than the default of 2 s. Tests of the timeout set it.
const ACQUIRE_TIMEOUT: (&str, &str) = ("INSULA_DATABASE_ACQUIRE_TIMEOUT", "20");

/// Timeout of the start, of the end after SIGTERM, and of other waits.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The real program on a free port. It is killed when dropped; its output is printed when the test has failed.
pub struct Server {
    process: Process,
    url: String,
    stdout: Capture,
    stderr: Capture,
    env: TestEnv,
    fake_smtp: Option<Arc<FakeSmtp>>,
}

/// The configuration of a server.
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

    /// Sets several variables.
    pub fn settings(self, settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        settings.into_iter().fold(self, |builder, (name, value)| builder.env(name, &value))
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

    /// Shifts the clock of the program by `seconds`.
    pub fn clock(self, seconds: i32) -> Self {
        let library = services::faketime().unwrap_or_else(|sentence| panic!("{sentence}"));
        let library = library.to_str().expect("a path of Debian's");
        // The monotonic clock stays unchanged.
        self.env("LD_PRELOAD", library)
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME", &format!("{seconds:+}"))
    }

    /// For a server that is never dropped: it ends with this process.
    pub(crate) fn until_parent_exits(mut self) -> Self {
        self.ends_with_parent = true;
        self
    }

    /// Uses this environment instead of a new one.
    pub fn test_env(mut self, env: &TestEnv) -> Self {
        self.env = Some(env.clone());
        self
    }

    /// Starts the program and waits until it listens; panics with its output when it does not.
    pub async fn start(mut self) -> Server {
        let mut fake_smtp = None;
        if self.has_mail {
            let started = match self.ends_with_parent {
                true => FakeSmtp::start_in_thread().await,
                false => FakeSmtp::start().await,
            };
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
            // It ends at the end of its input.
            (command, stop_signal) = (shared_server::until_parent_exits(&command), "CONT");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            Process::start(&mut command, stop_signal).unwrap_or_else(|error| panic!("insula serve: {error}"));
        let (ready, listens) = oneshot::channel();
        let stdout = Capture::of(process.pipes().stdout.take(), Some(ready), LogFile::NONE);
        let stderr = Capture::of(process.pipes().stderr.take(), None, LogFile::create());
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
    /// As [`Builder::start`], with a superuser who is logged in.
    pub async fn start_with_superuser(self) -> (Server, Client) {
        let server = self.with_first_superuser().start().await;
        let superuser = server.client().log_in(Server::SUPERUSER, PASSWORD).await;
        (server, superuser)
    }

    /// Lets the server create the superuser with [`PASSWORD`].
    pub(crate) fn with_first_superuser(self) -> Self {
        self.env("INSULA_FIRST_SUPERUSER_EMAIL", Server::SUPERUSER)
            .env("INSULA_FIRST_SUPERUSER_PASSWORD", PASSWORD)
    }
}

impl Server {
    /// The e-mail address of the superuser of [`Builder::start_with_superuser`].
    pub const SUPERUSER: &str = "root@example.com";

    /// Starts a server with the default settings in a new environment.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A configuration with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts a server with a superuser who is logged in.
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

    /// An anonymous client.
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

    /// The current memory in bytes; 0 if unknown.
    pub fn memory(&self) -> u64 {
        process::memory(self.process.id(), "VmRSS").unwrap_or_default()
    }

    /// The peak memory since the start or since [`Server::reset_peak_memory`], in bytes; 0 if unknown.
    pub fn peak_memory(&self) -> u64 {
        process::memory(self.process.id(), "VmHWM").unwrap_or_default()
    }

    /// Resets the peak memory; `false` when the system cannot.
    pub fn reset_peak_memory(&self) -> bool {
        process::reset_peak_memory(self.process.id())
    }

    /// Limits the size of files in bytes, like a full disk; `None` for no limit.
    pub fn limit_files(&self, bytes: Option<u64>) {
        process::limit_files(self.process.id(), bytes);
    }

    /// Its environment; a clone outlives the server.
    pub fn test_env(&self) -> &TestEnv {
        &self.env
    }

    /// Opens its database.
    pub async fn database(&self) -> TestDatabase {
        self.env.database().await
    }

    /// Its fake mail server; panics without one.
    pub fn fake_smtp(&self) -> &Arc<FakeSmtp> {
        self.fake_smtp.as_ref().expect("a server with mail: `Server::builder().with_mail()`")
    }

    /// Its output on stderr so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Sends SIGTERM and waits for the end; panics after 30 s.
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

/// The output of a pipe, read by a thread so that the pipe never fills up.
struct Capture {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(
        pipe: Option<impl Read + Send + 'static>,
        mut ready: Option<oneshot::Sender<String>>,
        mut file: LogFile,
    ) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = pipe.map(|pipe| {
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(url) = line.strip_prefix(READY)
                        && let Some(ready) = ready.take()
                    {
                        // The receiver may have timed out.
                        drop(ready.send(url.trim().to_owned()));
                    }
                    file.keep(&line);
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

    /// The whole output; the program must have ended.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }
}
