//! Counts the statements and the round trips between a server and PostgreSQL, in a proxy.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The version 3.0 in the message that begins a session. Other messages without a type ask for encryption.
const PROTOCOL: u32 = 3 << 16;

/// What has passed so far.
#[derive(Default)]
pub(super) struct WireCounts {
    /// Messages that run something: a simple query, or one execution of a prepared statement.
    statements: AtomicU64,
    /// Turns from the database's answers to another message.
    round_trips: AtomicU64,
}

impl WireCounts {
    pub(super) fn read(&self) -> [f64; 2] {
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        [&self.statements, &self.round_trips].map(|count| count.load(Relaxed) as f64)
    }
}

/// Forwards connections to a database for as long as the runtime runs. Returns its port.
#[expect(clippy::disallowed_methods, reason = "the proxy ends with the benchmark")]
pub(super) async fn start(database: String, counts: Arc<WireCounts>) -> Result<u16, String> {
    let listener =
        TcpListener::bind("127.0.0.1:0").await.map_err(|error| format!("no free port: {error}"))?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (database, counts) = (database.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                // A closed connection ends here, and both sides see it.
                drop(forward(client, &database, &counts).await);
            });
        }
    });
    Ok(port)
}

async fn forward(client: TcpStream, database: &str, counts: &WireCounts) -> std::io::Result<()> {
    let server = TcpStream::connect(database).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answered = AtomicBool::new(true);
    let requests = async {
        let (mut parser, mut chunk) = (WireParser::default(), vec![0; 16 * 1024]);
        loop {
            let length = from_client.read(&mut chunk).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            if answered.swap(false, Relaxed) {
                counts.round_trips.fetch_add(1, Relaxed);
            }
            counts.statements.fetch_add(parser.statements(&chunk[..length]), Relaxed);
            to_server.write_all(&chunk[..length]).await?;
        }
    };
    let answers = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let length = from_server.read(&mut chunk).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            answered.store(true, Relaxed);
            to_client.write_all(&chunk[..length]).await?;
        }
    };
    tokio::try_join!(requests, answers).map(|_| ())
}

/// Finds the messages of a client in a stream of bytes.
#[derive(Default)]
struct WireParser {
    rest: Vec<u8>,
    has_begun: bool,
}

impl WireParser {
    /// The number of statements that end in this chunk.
    fn statements(&mut self, chunk: &[u8]) -> u64 {
        self.rest.extend_from_slice(chunk);
        let (mut statements, mut from) = (0, 0);
        loop {
            let message = &self.rest[from..];
            let kind_length = usize::from(self.has_begun);
            let Some(length) = number(message, kind_length) else { break };
            let end = kind_length + length as usize;
            if message.len() < end {
                break;
            }
            match self.has_begun {
                true => statements += u64::from(matches!(message[0], b'Q' | b'E')),
                false => self.has_begun = number(message, 4) == Some(PROTOCOL),
            }
            from += end;
        }
        self.rest.drain(..from);
        statements
    }
}

fn number(message: &[u8], from: usize) -> Option<u32> {
    Some(u32::from_be_bytes(message.get(from..from + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap();
        [kind, &length.to_be_bytes(), content].concat()
    }

    #[test]
    fn statements_are_found_in_parts_of_messages() {
        let stream = [
            message(b"", &80_877_103_u32.to_be_bytes()),
            message(b"", &[&PROTOCOL.to_be_bytes()[..], b"user\0insula\0\0"].concat()),
            message(b"Q", b"BEGIN\0"),
            message(b"B", b"QQEE"),
            message(b"E", b"\0\0\0\0\0"),
            message(b"S", b""),
        ];
        for size in [1, 3, 1000] {
            let mut parser = WireParser::default();
            let statements: u64 = stream.concat().chunks(size).map(|chunk| parser.statements(chunk)).sum();
            assert_eq!(statements, 2);
        }
    }
}
