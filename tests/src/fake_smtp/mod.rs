//! A fake mail server (RFC 5321) for the e-mails that the program sends, on a free loopback port, without
//! TLS. It accepts any login.

mod mail;
mod fault_mode;
mod session;

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot, watch},
    task::JoinSet,
};

pub use fault_mode::FaultMode;
pub use mail::Mail;

use crate::server::TIMEOUT;

/// A mail server that runs until it is dropped.
pub struct FakeSmtp {
    address: String,
    mode: watch::Sender<FaultMode>,
    store: Arc<MailStore>,
    _work: JoinSet<()>,
}

/// Where accepted e-mails are stored, before the answer to the sender.
enum MailStore {
    /// In memory, to be read by the test.
    Memory { mails: Mutex<Vec<Mail>>, arrived: Notify },
    /// A line per e-mail at the end of a file, separated by tabs: Message-ID, recipient, subject, `cut` if the sender
    /// got no answer, and the time in microseconds since 1970.
    ListFile(Mutex<File>),
}

impl FakeSmtp {
    /// Starts a server that keeps its e-mails in memory, on a free port.
    pub async fn start() -> Self {
        Self::with(MailStore::Memory { mails: Mutex::new(Vec::new()), arrived: Notify::new() }).await
    }

    /// As [`FakeSmtp::start`], with a runtime of its own: it outlives the test that starts it.
    pub(crate) async fn start_in_thread() -> Self {
        let (sender, receiver) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                // The receiver may have panicked.
                drop(sender.send(Self::start().await));
                std::future::pending::<()>().await;
            });
        });
        receiver.await.expect("the thread starts it")
    }

    /// Starts a server that only appends a line for each e-mail to `file`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn appending_to(file: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(file)?;
        Ok(Self::with(MailStore::ListFile(Mutex::new(file))).await)
    }

    async fn with(store: MailStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (mode, watched) = watch::channel(FaultMode::Accept);
        let store = Arc::new(store);
        let mut work = JoinSet::new();
        work.spawn(listen(listener, watched, Arc::clone(&store)));
        Self { address, mode, store, _work: work }
    }

    /// The value for `INSULA_SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sets the fault mode, also for open connections.
    pub fn set_mode(&self, mode: FaultMode) {
        self.mode.send_replace(mode);
    }

    /// All e-mails in the order of acceptance; none of a server that writes a file.
    pub fn mails(&self) -> Vec<Mail> {
        self.store.mails()
    }

    /// Waits for an e-mail that matches; panics with `wish` after 30 s.
    pub async fn wait_for(&self, wish: &str, is_so: impl Fn(&Mail) -> bool) -> Mail {
        let mut mails = self.wait_until(wish, |mails| mails.iter().any(&is_so)).await;
        let place = mails.iter().position(is_so).expect("one is so");
        mails.swap_remove(place)
    }

    /// Waits until the e-mails match, and returns all; panics with `wish` after 30 s.
    pub async fn wait_until(&self, wish: &str, are_so: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        match tokio::time::timeout(TIMEOUT, self.store.until(are_so)).await {
            Ok(mails) => mails,
            Err(_) => panic!("not within {TIMEOUT:?}: {wish}, among {:#?}", self.mails()),
        }
    }
}

impl MailStore {
    fn mails(&self) -> Vec<Mail> {
        match self {
            Self::Memory { mails, .. } => mails.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::ListFile(_) => Vec::new(),
        }
    }

    async fn until(&self, are_so: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        let Self::Memory { arrived, .. } = self else { std::future::pending().await };
        loop {
            // Registered before the check, so that no arrival is missed.
            let arrival = arrived.notified();
            let mails = self.mails();
            if are_so(&mails) {
                return mails;
            }
            arrival.await;
        }
    }

    /// Adds the e-mail once per recipient. `is_acknowledged`: whether the sender gets an answer.
    fn add(
        &self,
        from: &str,
        recipients: &[String],
        data: &[u8],
        is_acknowledged: bool,
    ) -> std::io::Result<()> {
        let parsed = recipients.iter().map(|to| Mail::parse(from, to, data));
        match self {
            Self::Memory { mails, arrived } => {
                mails.lock().unwrap_or_else(PoisonError::into_inner).extend(parsed);
                arrived.notify_waiters();
                Ok(())
            }
            Self::ListFile(file) => {
                let at = now();
                let lines: String = parsed.map(|mail| mail.line(is_acknowledged, at)).collect();
                // One call for all of it: a line is never seen in part.
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(lines.as_bytes())
            }
        }
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the mail server's own clock: it knows none of the product"
    )]
    chrono::Utc::now().timestamp_micros()
}

async fn listen(listener: TcpListener, mode: watch::Receiver<FaultMode>, store: Arc<MailStore>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (mode, store) = (mode.clone(), Arc::clone(&store));
                    // How a connection ends is the peer's business.
                    sessions.spawn(async move { drop(session::serve(stream, mode, &store).await) });
                }
                // Too many open files, say: others will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}
