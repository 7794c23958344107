//! Raw HTTP, for requests that no client library sends.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Reply, Server, server::TIMEOUT};

impl Server {
    /// Opens a TCP connection.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.expect("the server accepts")
    }

    /// Sends the bytes of one request and reads until the server closes.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Reply {
        let (answer, sent) = self.exchange(request.as_ref()).await;
        let end = head_of(&answer)
            .unwrap_or_else(|| panic!("no answer to {sent}\nbut {}", String::from_utf8_lossy(&answer)));
        parse(&answer, end, answer.len(), sent)
    }

    /// Sends the bytes of several requests and reads until the server closes. Returns all answers, `100 Continue` included; none
    /// when the server closed without an answer.
    pub async fn raw_all(&self, requests: impl AsRef<[u8]>) -> Vec<Reply> {
        let (answer, sent) = self.exchange(requests.as_ref()).await;
        let (mut rest, mut replies) = (&*answer, Vec::new());
        while let Some(end) = head_of(rest) {
            let head = parse(rest, end, end, sent.clone());
            let length = head.header("content-length").map_or(0, |length| length.parse().expect("a length"));
            let until = rest.len().min(end + length);
            replies.push(parse(rest, end, until, sent.clone()));
            rest = &rest[until..];
        }
        assert!(rest.is_empty(), "{sent}\nwas also answered {}", String::from_utf8_lossy(rest));
        replies
    }

    /// The received bytes, and the beginning of the sent ones for messages.
    async fn exchange(&self, request: &[u8]) -> (Vec<u8>, String) {
        let (mut reads, mut writes) = self.connect().await.into_split();
        let mut answer = Vec::new();
        // A server that refuses early stops reading: what was not sent then does not matter.
        let exchange = async {
            let (_, _) = tokio::join!(writes.write_all(request), reads.read_to_end(&mut answer));
        };
        let in_time = timeout(TIMEOUT, exchange).await;
        let sent = String::from_utf8_lossy(&request[..request.len().min(1000)]).into_owned();
        assert!(in_time.is_ok(), "the server did not close after {sent}");
        (answer, sent)
    }

    /// GET of a path without normalization, with additional header lines.
    pub async fn raw_get(&self, path: &str, headers: &str) -> Reply {
        self.raw(format!("GET {path} HTTP/1.1\r\nhost: insula\r\nconnection: close\r\n{headers}\r\n")).await
    }
}

/// The position of the body.
fn head_of(answer: &[u8]) -> Option<usize> {
    Some(answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4)
}

/// Parses an answer with the body from `body` to `end`.
fn parse(answer: &[u8], body: usize, end: usize, sent: String) -> Reply {
    let head = String::from_utf8_lossy(&answer[..body]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = line.split_once(':')?;
        Some((name.parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    let headers: HeaderMap = lines.filter_map(header).collect();
    Reply { status: status.expect("a status"), headers, body: answer[body..end].to_vec(), sent }
}
