//! A fake mail server (RFC 5321) for the e-mails that the program sends, on a free loopback port, without
//! TLS. It accepts any login.

mod letter;
mod mood;
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
    sync::{Notify, watch},
    task::JoinSet,
};

pub use letter::Mail;
pub use mood::Mood;

use crate::server::PATIENCE;

/// A mail server that runs until it is dropped.
pub struct Postbox {
    address: String,
    mood: watch::Sender<Mood>,
    shelf: Arc<Shelf>,
    _work: JoinSet<()>,
}

/// Where mails are put when they are accepted: before the sender is told.
enum Shelf {
    /// In memory, to be read by the test.
    Kept { mails: Mutex<Vec<Mail>>, arrived: Notify },
    /// As one line each at the end of a file: Message-ID, recipient, subject, `cut` where the sender was not told, and
    /// when, in microseconds since 1970; separated by tabs.
    Listed(Mutex<File>),
}

impl Postbox {
    /// One that keeps its mails, on a free port.
    pub async fn start() -> Self {
        Self::with(Shelf::Kept { mails: Mutex::new(Vec::new()), arrived: Notify::new() }).await
    }

    /// One that writes a line for each mail at the end of `file` and forgets it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn listing(file: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(file)?;
        Ok(Self::with(Shelf::Listed(Mutex::new(file))).await)
    }

    async fn with(shelf: Shelf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (mood, watched) = watch::channel(Mood::Accept);
        let shelf = Arc::new(shelf);
        let mut work = JoinSet::new();
        work.spawn(listen(listener, watched, Arc::clone(&shelf)));
        Self { address, mood, shelf, _work: work }
    }

    /// As `INSULA_SMTP_URL` is given it.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How it behaves from now on, towards those who are connected too.
    pub fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// All mails, in the order in which they were accepted; none where they are only listed.
    pub fn mails(&self) -> Vec<Mail> {
        self.shelf.mails()
    }

    /// The first mail that is so; panics with `wish` when none has come within 30 s.
    pub async fn wait_for(&self, wish: &str, is_so: impl Fn(&Mail) -> bool) -> Mail {
        let mut mails = self.wait_until(wish, |mails| mails.iter().any(&is_so)).await;
        let place = mails.iter().position(is_so).expect("one is so");
        mails.swap_remove(place)
    }

    /// All mails, as soon as they are so together; panics with `wish` when they are not within 30 s.
    pub async fn wait_until(&self, wish: &str, are_so: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        match tokio::time::timeout(PATIENCE, self.shelf.until(are_so)).await {
            Ok(mails) => mails,
            Err(_) => panic!("not within {PATIENCE:?}: {wish}, among {:#?}", self.mails()),
        }
    }
}

impl Shelf {
    fn mails(&self) -> Vec<Mail> {
        match self {
            Self::Kept { mails, .. } => mails.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Listed(_) => Vec::new(),
        }
    }

    async fn until(&self, are_so: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        let Self::Kept { arrived, .. } = self else { std::future::pending().await };
        loop {
            // Asked for before the look, so that no arrival falls between the two.
            let arrival = arrived.notified();
            let mails = self.mails();
            if are_so(&mails) {
                return mails;
            }
            arrival.await;
        }
    }

    /// Once for every recipient. `is_told`: will the sender hear of it?
    fn put(&self, from: &str, recipients: &[String], data: &[u8], is_told: bool) -> std::io::Result<()> {
        let parsed = recipients.iter().map(|to| Mail::parse(from, to, data));
        match self {
            Self::Kept { mails, arrived } => {
                mails.lock().unwrap_or_else(PoisonError::into_inner).extend(parsed);
                arrived.notify_waiters();
                Ok(())
            }
            Self::Listed(file) => {
                let at = now();
                let lines: String = parsed.map(|mail| mail.line(is_told, at)).collect();
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

async fn listen(listener: TcpListener, mood: watch::Receiver<Mood>, shelf: Arc<Shelf>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (mood, shelf) = (mood.clone(), Arc::clone(&shelf));
                    // How a connection ends is the peer's business.
                    sessions.spawn(async move { drop(session::serve(stream, mood, &shelf).await) });
                }
                // Too many open files, say: others will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}
