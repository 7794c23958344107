//! A client's socket: it notes when something arrives, which hyper does not tell, and it hangs up in stages.

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
use crate::server::activity::Activity;

/// How long a peer that goes on sending is listened to after our last word.
const LINGER: Duration = Duration::from_secs(10);

/// How long one that sends nothing is.
const SILENCE: Duration = Duration::from_secs(2);

/// What HTTP/2 begins with (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Passes everything on.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: TcpStream,
    activity: Arc<Activity>,
    /// What has arrived and is still to be read, before the rest.
    unread: Bytes,
    /// Of HTTP/2: what its frames are.
    frames: Option<Box<Frames>>,
    /// When we hang up on a peer that is silent, and when on every other one; set by our last word.
    linger: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl Socket {
    /// `activity` hears of what arrives.
    pub(crate) fn new(inner: TcpStream, activity: Arc<Activity>) -> Self {
        Self { inner, activity, unread: Bytes::new(), frames: None, linger: None }
    }

    /// Gives back what was read too early.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        // Not the buffer that it was in.
        self.unread = Bytes::copy_from_slice(bytes);
    }

    /// Waits for the first words of the peer, which say what it speaks: HTTP/2, or else HTTP/1.1.
    pub(crate) async fn version(&mut self) -> io::Result<Version> {
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

    /// Waits until there is something to read, be it the end.
    pub(crate) async fn speaks(&self) -> io::Result<()> {
        if self.unread.is_empty() { self.inner.readable().await } else { Ok(()) }
    }

    /// Notes how much was written, and whether hyper has to wait until the peer reads.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.blocks(written.is_pending());
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
                self.activity.waits();
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
            self.activity.hear();
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

    /// In stages (RFC 9112 §9.6): whoever is refused in the middle of a body goes on sending it for a moment, and a socket that is
    /// closed with something unread takes back what was just said.
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
            // Too late, at its end, or broken: in each case nothing is lost.
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
