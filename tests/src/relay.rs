//! A way to a server that can be cut, stopped and mended.

use std::pin::pin;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Passes bytes on to another address, until it is cut or stopped.
pub struct Relay {
    address: String,
    state: watch::Sender<State>,
    _work: JoinSet<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Stopped,
    Cut,
}

impl Relay {
    /// A way to `target` (host and port), open.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (state, watched) = watch::channel(State::Open);
        let mut work = JoinSet::new();
        work.spawn(relay(listener, target.to_owned(), watched));
        Self { address, state, _work: work }
    }

    /// Where it begins: host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Keeps every connection, takes new ones, and passes nothing on.
    pub fn stop(&self) {
        self.state.send_replace(State::Stopped);
    }

    /// Opens the way again.
    pub fn mend(&self) {
        self.state.send_replace(State::Open);
    }
}

async fn relay(listener: TcpListener, target: String, mut state: watch::Receiver<State>) {
    let mut ways = JoinSet::new();
    loop {
        tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) if *state.borrow_and_update() == State::Cut => ways.shutdown().await,
                Ok(()) => {}
                Err(_) => return,
            },
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { return };
                if *state.borrow() != State::Cut {
                    ways.spawn(way(near, target.clone(), state.clone()));
                }
            }
        }
    }
}

async fn way(mut near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    if state.wait_for(|state| *state == State::Open).await.is_err() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let mut copy = pin!(copy_bidirectional(&mut near, &mut far));
    loop {
        tokio::select! {
            biased;
            stopped = async { state.wait_for(|state| *state == State::Stopped).await.map(drop) } => {
                // What was read and not yet passed on waits in `copy`, which nobody polls now.
                if stopped.is_err() || state.wait_for(|state| *state == State::Open).await.is_err() {
                    return;
                }
            }
            _ = &mut copy => return,
        }
    }
}
