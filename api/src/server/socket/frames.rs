//! Counts the HTTP/2 frames of a peer (RFC 9113 §4.1). Frames that are not part of a request cost work, and
//! most of them a reply (CVE-2019-9512 PING, CVE-2019-9515 SETTINGS, CVE-2019-9513 PRIORITY).
//!
//! h2 itself limits only reset streams, CONTINUATION and small DATA frames.

use std::io;

use tokio::time::{Duration, Instant};

/// Number of control frames allowed per [`WINDOW`]. Clients and proxies send a few for each connection, and
/// then a PING every few seconds.
const FREE_FRAMES: u32 = 1_000;

/// Time until [`FREE_FRAMES`] frames are allowed again.
const WINDOW: Duration = Duration::from_secs(10);

/// Additional frames for each request: its stream can be prioritized, get more window, and be reset.
const PER_REQUEST: u32 = 20;

/// Bytes written per additional frame, because the peer acknowledges them with `WINDOW_UPDATE`. More than the
/// reply to a PING has, so that a PING does not allow the next one.
const BYTES_PER_FRAME: usize = 128;

/// Maximum number of frames that are allowed at a time.
const MAX_FRAMES: u32 = 20_000;

const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// Tracks the bytes read and written on one connection, after its preface.
#[derive(Debug)]
pub(super) struct Frames {
    /// The frame header that is being read, and the number of its bytes that have arrived.
    header: [u8; HEADER],
    arrived: usize,
    /// Remaining bytes of the current payload.
    payload: usize,
    /// Number of frames that are still allowed.
    left: u32,
    since: Instant,
    /// Bytes written that have not yet allowed another frame.
    written: usize,
}

impl Frames {
    pub(super) fn new(now: Instant) -> Self {
        Self { header: [0; HEADER], arrived: 0, payload: 0, left: FREE_FRAMES, since: now, written: 0 }
    }

    /// Records bytes that have arrived.
    ///
    /// # Errors
    /// If there were too many frames without a request.
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

    /// Records the number of bytes written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        let more = u32::try_from(self.written / BYTES_PER_FRAME).unwrap_or(MAX_FRAMES);
        self.written %= BYTES_PER_FRAME;
        self.admit(more);
    }

    fn admit(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(MAX_FRAMES);
    }

    /// Handles the start of a frame with this header.
    fn begins(&mut self, now: Instant) -> io::Result<()> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS => self.admit(PER_REQUEST),
            // Part of a body, or its end.
            DATA if self.payload > 0 || flags & END_STREAM != 0 => {}
            _ => {
                if now.duration_since(self.since) >= WINDOW {
                    self.since = now;
                    self.left = self.left.max(FREE_FRAMES);
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

    /// The number of these frames allowed at once, if they arrive in parts of `pieces` bytes.
    fn count_allowed(frames: &mut Frames, frame: &[u8], pieces: usize, now: Instant) -> usize {
        let many = frame.repeat(30_000);
        let read = many.chunks(pieces).take_while(|piece| frames.read(piece, now).is_ok()).count();
        read * pieces / frame.len()
    }

    #[test]
    fn frames_without_a_request_are_limited_in_any_chunks() {
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
                let count = count_allowed(&mut Frames::new(now), &frame(kind, flags, payload), pieces, now);
                assert!((500..=1000).contains(&count), "{kind} in {pieces}: {count}");
            }
        }
    }

    #[test]
    fn normal_traffic_is_allowed() {
        let (mut frames, start) = (Frames::new(Instant::now()), Instant::now());
        let request =
            [frame(HEADERS, 4, 60), frame(2, 0, 5), frame(8, 0, 4), frame(DATA, 0, 100), frame(DATA, 1, 0)];
        for _ in 0..50_000 {
            frames.read(&request.concat(), start).unwrap();
        }
        // One PING per second for a day.
        for second in 0..86_400 {
            frames.read(&frame(PING, 0, 8), start + Duration::from_secs(second)).unwrap();
        }
        // A large response: one WINDOW_UPDATE of the stream and one of the connection for each of its frames.
        for _ in 0..100_000 {
            frames.wrote(16 * 1024 + HEADER);
            frames.read(&frame(8, 0, 4).repeat(2), start).unwrap();
        }
        frames.read(&[frame(DATA, 0, 200), frame(DATA, 0, 1)].concat().repeat(10_000), start).unwrap();
    }

    #[test]
    fn replies_to_a_flood_allow_no_further_frames() {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        let ping = frame(PING, 0, 8);
        let answered = (0..400_000).take_while(|_| {
            frames.wrote(ping.len());
            frames.read(&ping, now).is_ok()
        });
        assert!(answered.count() < 2_000);
        // A closed connection is not read any more.
        let mut frames = Frames::new(now);
        frames.wrote(1 << 40);
        assert!(count_allowed(&mut frames, &ping, ping.len(), now) <= 20_000);
    }
}
