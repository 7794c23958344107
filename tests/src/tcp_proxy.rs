//! A TCP proxy whose connections can be cut, stopped and restored.

use std::pin::pin;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Forwards bytes to another address until it is cut or stopped.
pub struct TcpProxy {
    address: String,
    state: watch::Sender<ProxyState>,
    _work: JoinSet<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxyState {
    Open,
    Stopped,
    Cut,
}

impl TcpProxy {
    /// A proxy to `target` (host and port).
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (state, watched) = watch::channel(ProxyState::Open);
        let mut work = JoinSet::new();
        work.spawn(run(listener, target.to_owned(), watched));
        Self { address, state, _work: work }
    }

    /// Host and port of the proxy.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Closes all connections, and new ones at once.
    pub fn cut(&self) {
        self.state.send_replace(ProxyState::Cut);
    }

    /// Keeps connections and accepts new ones, but forwards nothing.
    pub fn stop(&self) {
        self.state.send_replace(ProxyState::Stopped);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.state.send_replace(ProxyState::Open);
    }
}

async fn run(listener: TcpListener, target: String, mut state: watch::Receiver<ProxyState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) if *state.borrow_and_update() == ProxyState::Cut => connections.shutdown().await,
                Ok(()) => {}
                Err(_) => return,
            },
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                if *state.borrow() != ProxyState::Cut {
                    connections.spawn(forward(client, target.clone(), state.clone()));
                }
            }
        }
    }
}

async fn forward(mut client: TcpStream, target: String, mut state: watch::Receiver<ProxyState>) {
    if state.wait_for(|state| *state == ProxyState::Open).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let mut copy = pin!(copy_bidirectional(&mut client, &mut server));
    loop {
        tokio::select! {
            biased;
            stopped = async { state.wait_for(|state| *state == ProxyState::Stopped).await.map(drop) } => {
                // Bytes that were read but not forwarded wait in `copy`, which is not polled now.
                if stopped.is_err() || state.wait_for(|state| *state == ProxyState::Open).await.is_err() {
                    return;
                }
            }
            _ = &mut copy => return,
        }
    }
}
