//! HTTP by the byte: for requests that no client library would send.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Reply, Server, server::PATIENCE};

impl Server {
    /// Connects, and leaves what is sent and read to the caller.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.expect("the server accepts")
    }

    /// Sends these bytes as a request of their own and reads until the server hangs up.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Reply {
        let request = request.as_ref();
        let (mut reads, mut writes) = self.connect().await.into_split();
        let mut answer = Vec::new();
        // A server that refuses early stops reading: what was not sent then does not matter.
        let exchange = async {
            let (_, _) = tokio::join!(writes.write_all(request), reads.read_to_end(&mut answer));
        };
        let in_time = timeout(PATIENCE, exchange).await;
        let sent = String::from_utf8_lossy(&request[..request.len().min(1000)]).into_owned();
        assert!(in_time.is_ok(), "the server did not hang up after {sent}");
        parse(&answer, sent)
    }

    /// GET of a path exactly as it is spelled, with these further header lines.
    pub async fn raw_get(&self, path: &str, headers: &str) -> Reply {
        self.raw(format!("GET {path} HTTP/1.1\r\nhost: insula\r\nconnection: close\r\n{headers}\r\n")).await
    }
}

fn parse(answer: &[u8], sent: String) -> Reply {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer to {sent}\nbut {}", String::from_utf8_lossy(answer)));
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = line.split_once(':')?;
        Some((name.parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    let headers: HeaderMap = lines.filter_map(header).collect();
    Reply { status: status.expect("a status"), headers, body: answer[end + 4..].to_vec(), sent }
}
