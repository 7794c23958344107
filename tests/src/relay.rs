//! A way to a server that can be cut and mended.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Passes bytes on to another address, until it is cut.
pub struct Relay {
    address: String,
    is_open: watch::Sender<bool>,
    _work: JoinSet<()>,
}

impl Relay {
    /// A way to `target` (host and port), open.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (is_open, watched) = watch::channel(true);
        let mut work = JoinSet::new();
        work.spawn(relay(listener, target.to_owned(), watched));
        Self { address, is_open, _work: work }
    }

    /// Where it begins: host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Opens the way again.
    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

async fn relay(listener: TcpListener, target: String, mut is_open: watch::Receiver<bool>) {
    let mut ways = JoinSet::new();
    loop {
        tokio::select! {
            changed = is_open.changed() => match changed {
                Ok(()) if *is_open.borrow_and_update() => {}
                Ok(()) => ways.shutdown().await,
                Err(_) => return,
            },
            accepted = listener.accept() => {
                let Ok((mut near, _)) = accepted else { return };
                if *is_open.borrow() {
                    let target = target.clone();
                    ways.spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(target).await {
                            drop(copy_bidirectional(&mut near, &mut far).await);
                        }
                    });
                }
            }
        }
    }
}
