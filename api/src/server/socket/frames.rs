//! The frames that a peer of HTTP/2 sends (RFC 9113 §4.1), counted: those that ask for nothing cost us work, and most of
//! them an answer (CVE-2019-9512 PING, CVE-2019-9515 SETTINGS, CVE-2019-9513 PRIORITY).
//!
//! h2 itself bounds streams that are reset, CONTINUATION and small DATA frames, and nothing else.

use std::io;

use tokio::time::{Duration, Instant};

/// Frames that ask for nothing, of which each [`WINDOW`] admits so many. Clients and proxies send a few for each connection,
/// and then one PING in some seconds.
const FREE: u32 = 1_000;

/// How long until there are [`FREE`] ones again.
const WINDOW: Duration = Duration::from_secs(10);

/// As many more for each request: its stream may be prioritized, given more window, and reset.
const PER_REQUEST: u32 = 20;

/// One more for so many bytes that we wrote, which the peer acknowledges by `WINDOW_UPDATE`. More than the answer to a PING
/// has, so that none pays for the next one.
const BYTES_PER_FRAME: usize = 128;

/// Most of them that are admitted at a time.
const MOST: u32 = 20_000;

const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// Follows what is read and written on one connection, after its preface.
#[derive(Debug)]
pub(super) struct Frames {
    /// The header that is being read, and how much of it has arrived.
    header: [u8; HEADER],
    arrived: usize,
    /// Bytes of a payload that are still to come.
    payload: usize,
    /// Frames that are still admitted.
    left: u32,
    since: Instant,
    /// Bytes that we wrote and that have not admitted a frame yet.
    written: usize,
}

impl Frames {
    pub(super) fn new(now: Instant) -> Self {
        Self { header: [0; HEADER], arrived: 0, payload: 0, left: FREE, since: now, written: 0 }
    }

    /// Notes what has arrived.
    ///
    /// # Errors
    /// When there were too many frames without a request.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let (head, rest) = bytes.split_at(bytes.len().min(HEADER - self.arrived));
            self.header[self.arrived..self.arrived + head.len()].copy_from_slice(head);
            self.arrived += head.len();
            bytes = rest;
            if self.arrived == HEADER {
                self.arrived = 0;
                self.begins(now)?;
            }
        }
        Ok(())
    }

    /// Notes that we wrote so many bytes.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        let more = u32::try_from(self.written / BYTES_PER_FRAME).unwrap_or(MOST);
        self.written %= BYTES_PER_FRAME;
        self.admit(more);
    }

    fn admit(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(MOST);
    }

    /// A frame begins, with this header.
    fn begins(&mut self, now: Instant) -> io::Result<()> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS => self.admit(PER_REQUEST),
            // A body, or the end of one.
            DATA if self.payload > 0 || flags & END_STREAM != 0 => {}
            _ => {
                if now.duration_since(self.since) >= WINDOW {
                    self.since = now;
                    self.left = self.left.max(FREE);
                }
                let left = self.left.checked_sub(1);
                self.left = left.ok_or_else(|| io::Error::other("too many frames without a request"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u8::try_from(payload).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 1][..], &vec![0; payload]].concat()
    }

    /// How many of these frames are admitted at once, when they arrive in pieces of so many bytes.
    fn admitted(frames: &mut Frames, frame: &[u8], pieces: usize, now: Instant) -> usize {
        let many = frame.repeat(30_000);
        let read = many.chunks(pieces).take_while(|piece| frames.read(piece, now).is_ok()).count();
        read * pieces / frame.len()
    }

    #[test]
    fn frames_that_ask_for_nothing_are_bounded_however_they_arrive() {
        let now = Instant::now();
        for (kind, flags, payload) in [
            (PING, 0, 8),
            (PING, 1, 8),
            (4, 0, 0),
            (2, 0, 5),
            (8, 0, 4),
            (3, 0, 4),
            (9, 0, 9),
            (DATA, 0, 0),
            (77, 0, 3),
        ] {
            for pieces in [1, 7, 17, 4096] {
                let count = admitted(&mut Frames::new(now), &frame(kind, flags, payload), pieces, now);
                assert!((500..=1000).contains(&count), "{kind} in {pieces}: {count}");
            }
        }
    }

    #[test]
    fn what_an_honest_peer_sends_is_admitted() {
        let (mut frames, start) = (Frames::new(Instant::now()), Instant::now());
        let request =
            [frame(HEADERS, 4, 60), frame(2, 0, 5), frame(8, 0, 4), frame(DATA, 0, 100), frame(DATA, 1, 0)];
        for _ in 0..50_000 {
            frames.read(&request.concat(), start).unwrap();
        }
        // A PING a second, for a day.
        for second in 0..86_400 {
            frames.read(&frame(PING, 0, 8), start + Duration::from_secs(second)).unwrap();
        }
        // A large answer: a WINDOW_UPDATE of the stream and one of the connection for each of its frames.
        for _ in 0..100_000 {
            frames.wrote(16 * 1024 + HEADER);
            frames.read(&frame(8, 0, 4).repeat(2), start).unwrap();
        }
        frames.read(&[frame(DATA, 0, 200), frame(DATA, 0, 1)].concat().repeat(10_000), start).unwrap();
    }

    #[test]
    fn the_answers_to_a_flood_do_not_pay_for_it() {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        let ping = frame(PING, 0, 8);
        let answered = (0..400_000).take_while(|_| {
            frames.wrote(ping.len());
            frames.read(&ping, now).is_ok()
        });
        assert!(answered.count() < 2_000);
        // Nothing more is read of a connection that was cut.
        let mut frames = Frames::new(now);
        frames.wrote(1 << 40);
        assert!(admitted(&mut frames, &ping, ping.len(), now) <= 20_000);
    }
}
