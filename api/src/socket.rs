//! A client's socket: it notes when something arrives, which hyper does not tell, and it hangs up in stages.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::connections::Activity;

/// How long a peer is listened to after our last word.
const LINGER: Duration = Duration::from_secs(2);

/// Passes everything on.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: TcpStream,
    activity: Arc<Activity>,
    /// When we hang up, whatever the peer does; set by our last word.
    linger: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// `activity` hears of what arrives.
    pub(crate) fn new(inner: TcpStream, activity: Arc<Activity>) -> Self {
        Self { inner, activity, linger: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.hear();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
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
        let linger = match linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut *inner).poll_shutdown(cx))?;
                linger.insert(Box::pin(sleep(LINGER)))
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
        }
    }
}
