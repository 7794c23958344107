//! The socket of a client. It records when bytes arrive, which hyper does not report, and closes in stages.

mod frames;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::Version;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use self::frames::Frames;
use crate::server::activity::ConnectionActivity;

/// Time to read from a peer that continues to send after the response.
const LINGER: Duration = Duration::from_secs(10);

/// Time to wait for a peer that sends nothing after the response.
const SILENCE: Duration = Duration::from_secs(2);

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket that passes all bytes on.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: TcpStream,
    activity: Arc<ConnectionActivity>,
    /// Bytes that have arrived and are read before the rest.
    unread: Bytes,
    /// The counted frames of an HTTP/2 connection. `None` for HTTP/1.1.
    frames: Option<Box<Frames>>,
    /// The deadline for a silent peer and the deadline for any peer. Set when the response is complete.
    linger: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl Socket {
    /// A socket that reports arriving bytes to `activity`.
    pub(crate) fn new(inner: TcpStream, activity: Arc<ConnectionActivity>) -> Self {
        Self { inner, activity, unread: Bytes::new(), frames: None, linger: None }
    }

    /// Returns bytes that were read too early.
    pub(crate) fn push_back(&mut self, bytes: &[u8]) {
        // A copy, so that the larger buffer can be freed.
        self.unread = Bytes::copy_from_slice(bytes);
    }

    /// Waits for the first bytes of the peer, and returns the version: HTTP/2 or else HTTP/1.1.
    pub(crate) async fn detect_version(&mut self) -> io::Result<Version> {
        let (mut words, mut count) = ([0; PREFACE.len()], 0);
        while count < words.len() && words[..count] == PREFACE[..count] {
            match self.inner.read(&mut words[count..]).await? {
                0 => break,
                read => count += read,
            }
        }
        self.unread = Bytes::copy_from_slice(&words[..count]);
        if words != *PREFACE {
            return Ok(Version::HTTP_11);
        }
        self.frames = Some(Box::new(Frames::new(Instant::now())));
        Ok(Version::HTTP_2)
    }

    /// Waits until there is something to read, or the connection is closed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.unread.is_empty() { self.inner.readable().await } else { Ok(()) }
    }

    /// Records the number of bytes written, and whether hyper has to wait until the peer reads.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.on_write_blocked(written.is_pending());
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, &written) {
            frames.wrote(*bytes);
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.unread.is_empty() {
            let read = Pin::new(&mut self.inner).poll_read(cx, buf);
            if read.is_pending() {
                self.activity.on_read_pending();
            }
            ready!(read)?;
            if let Some(frames) = &mut self.frames {
                frames.read(&buf.filled()[before..], Instant::now())?;
            }
        } else {
            let fits = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(fits));
        }
        if buf.filled().len() > before {
            self.activity.on_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Closes in stages (RFC 9112 §9.6). A client whose body is refused continues to send for a moment, and a
    /// socket that is closed with unread bytes discards the response that was just sent.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, linger, .. } = &mut *self;
        let (linger, end) = match linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut *inner).poll_shutdown(cx))?;
                linger.insert((Box::pin(sleep(SILENCE)), Instant::now() + LINGER))
            }
        };
        let mut unread = [0; 8192];
        loop {
            let mut unread = ReadBuf::new(&mut unread);
            let is_over = linger.as_mut().poll(cx).is_ready();
            // Timed out, ended or failed: in each case nothing is lost.
            if is_over
                || ready!(Pin::new(&mut *inner).poll_read(cx, &mut unread)).is_err()
                || unread.filled().is_empty()
            {
                return Poll::Ready(Ok(()));
            }
            linger.as_mut().reset((*end).min(Instant::now() + SILENCE));
        }
    }
}
