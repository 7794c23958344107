//! Converts the replies of mail servers into a form that lettre can read.
//!
//! Only the code of a reply is significant, its text is for people (RFC 5321 §4.2). Servers send that text in any
//! encoding, omit it, or make it long. lettre treats such a reply as an error, even one that accepts an e-mail, which
//! would then be sent again. So every line is normalized before lettre reads it, with its code unchanged.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// Maximum bytes of a line. The rest is dropped. RFC 5321 §4.5.3.1.5 allows 512, lettre reads 1000.
const MAX_LINE: usize = 800;
/// Bytes per read.
const READ_SIZE: usize = 2048;
/// The first reply of a server (RFC 5321 §3.1).
const GREETING: &[u8] = b"220 -\r\n";

/// A connection to a mail server.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {
    fn peer(&self) -> io::Result<SocketAddr>;
}

impl Stream for TcpStream {
    fn peer(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn peer(&self) -> io::Result<SocketAddr> {
        self.get_ref().0.peer_addr()
    }
}

/// A connection with normalized replies. Writes are unchanged.
#[derive(Debug)]
pub(super) struct Replies<S> {
    stream: S,
    /// The incomplete line.
    line: Vec<u8>,
    /// Complete lines that were not read yet.
    ready: Vec<u8>,
}

impl<S: Stream> Replies<S> {
    /// A new connection.
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, line: Vec::new(), ready: Vec::new() }
    }

    /// A connection after STARTTLS, where the server sends no second greeting (RFC 3207 §4.2).
    pub(super) fn after_greeting(stream: S) -> Self {
        Self { ready: GREETING.to_vec(), ..Self::new(stream) }
    }
}

fn receive(line: &mut Vec<u8>, ready: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'\n' => normalize_line(&std::mem::take(line), ready),
            byte if line.len() < MAX_LINE => line.push(*byte),
            _ => {}
        }
    }
}

/// Adds a normalized line to `out`: code, separator, non-empty UTF-8 text and CRLF.
fn normalize_line(line: &[u8], out: &mut Vec<u8>) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = match line {
        [first, second, third, rest @ ..]
            if [first, second, third].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            // lettre knows no other second digits. The first digit has the meaning (RFC 5321 §4.3.2).
            let is_known = *second < b'6';
            out.extend_from_slice(&[*first, if is_known { *second } else { b'5' }, *third]);
            let (separator, text) = rest.split_first().unwrap_or((&b' ', b""));
            out.push(*separator);
            if !is_known {
                out.extend_from_slice(&[*first, *second, *third, b' ']);
            }
            if text.trim_ascii().is_empty() { b"-" } else { text }
        }
        other => other,
    };
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        out.extend((!chunk.invalid().is_empty()).then_some(b'?'));
    }
    out.extend_from_slice(b"\r\n");
}

impl<S: Stream> AsyncRead for Replies<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, line, ready } = self.get_mut();
        while ready.is_empty() {
            let mut bytes = [0; READ_SIZE];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            receive(line, ready, read.filled());
        }
        let length = ready.len().min(buffer.remaining());
        buffer.put_slice(&ready[..length]);
        ready.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Replies<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: Stream> AsyncTokioStream for Replies<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(chunks: &[&[u8]]) -> String {
        let (mut line, mut ready) = (Vec::new(), Vec::new());
        chunks.iter().for_each(|chunk| receive(&mut line, &mut ready, chunk));
        String::from_utf8(ready).unwrap()
    }

    #[test]
    fn a_reply_keeps_its_code_whatever_its_text_is() {
        for (sent, expected) in [
            (&b"250 2.0.0 ok\r\n"[..], "250 2.0.0 ok\r\n"),
            (b"250 Nachricht \xfcbernommen\r\n", "250 Nachricht ?bernommen\r\n"),
            ("250 Nachricht übernommen\r\n".as_bytes(), "250 Nachricht übernommen\r\n"),
            (b"550 \xff\xfe\x80\r\n", "550 ???\r\n"),
            (b"250-\xe4\r\n250 \xf6\r\n", "250-?\r\n250 ?\r\n"),
            (b"250\r\n", "250 -\r\n"),
            (b"250 \r\n", "250 -\r\n"),
            (b"250-\r\n250 SIZE\r\n", "250--\r\n250 SIZE\r\n"),
            (b"354 go on\n", "354 go on\r\n"),
            (b"571 5.7.1 no\r\n", "551 571 5.7.1 no\r\n"),
            (b"571\r\n", "551 571 -\r\n"),
            (b"\r\n", "\r\n"),
            (b"hello \xfc\r\n", "hello ?\r\n"),
            (b"250 half", ""),
        ] {
            assert_eq!(normalized(&[sent]), expected);
        }
        // A character split over two reads.
        assert_eq!(normalized(&[b"250 \xc3", b"\xbc\r", b"\n"]), "250 ü\r\n");
        assert_eq!(normalized(&[GREETING]).as_bytes(), GREETING);
    }

    #[test]
    fn a_long_line_is_cut() {
        let long = normalized(&[b"250 ", &[b'x'; 5000], b"\r\n221 bye\r\n"]);
        let (first, second) = long.split_once("\r\n").unwrap();
        assert_eq!((first.len(), second), (MAX_LINE, "221 bye\r\n"));
    }
}
