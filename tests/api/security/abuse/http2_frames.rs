//! Floods of HTTP/2 frames (CVE-2019-9512 and similar): the connection is closed.

use std::time::{Duration, Instant};

use insula_tests::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{acme, count, goes_on};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const MANY: usize = 400_000;

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
}

/// GET of `/livez`, in header fields of HPACK's static table (RFC 7541, appendix A).
fn get(stream: u8) -> Vec<u8> {
    frame(1, 5, stream, &[&[0x82, 0x86, 0x04, 6][..], b"/livez", &[0x01, 1], b"a"].concat())
}

/// How many bytes the server takes of what is sent after the preface, until it hangs up.
async fn taken(server: &Server, flood: &[u8]) -> usize {
    let (mut reads, mut writes) = server.connect().await.into_split();
    let (mut taken, mut answer) = (0, vec![0; 64 * 1024]);
    let sending = async {
        writes.write_all(PREFACE).await.unwrap();
        while taken < flood.len() {
            match writes.write(&flood[taken..]).await {
                Ok(0) | Err(_) => break,
                Ok(count) => taken += count,
            }
        }
        // Everything was sent: does it hang up all the same?
        std::future::pending::<()>().await;
    };
    let reading = async { while reads.read(&mut answer).await.is_ok_and(|count| count > 0) {} };
    let hangs_up = timeout(Duration::from_secs(60), async {
        tokio::select! { () = sending => {}, () = reading => {} }
    });
    assert!(hangs_up.await.is_ok(), "it goes on");
    taken
}

#[tokio::test]
async fn a_connection_that_is_flooded_with_frames_is_cut() {
    let (server, ada) = acme().await;
    let kinds = [
        ("PING", frame(6, 0, 0, &[7; 8])),
        ("PING that answers nothing", frame(6, 1, 0, &[7; 8])),
        ("SETTINGS", frame(4, 0, 0, &[])),
        ("SETTINGS that say something", frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 15])),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1])),
        ("a frame of no kind", frame(0x77, 0, 0, &[1, 2, 3])),
    ];
    for (kind, frame) in &kinds {
        let started = Instant::now();
        let flood = frame.repeat(MANY);
        let taken = taken(&server, &flood).await;
        // The buffers of both ends hold what was sent and never read.
        assert!(taken < flood.len() || frame.len() * MANY < 4 << 20, "{kind}: {taken} of {}", flood.len());
        assert!(started.elapsed() < Duration::from_secs(30), "{kind}: {:?}", started.elapsed());
        goes_on(&ada).await;
    }
    count("floods of frames", kinds.len());
}

/// As many as the busiest client sends beside its requests.
#[tokio::test]
async fn requests_may_be_accompanied_by_frames() {
    let server = Server::start().await;
    let (mut reads, mut writes) = server.connect().await.into_split();
    let mut sent = PREFACE.to_vec();
    for stream in (1..=99).step_by(2) {
        sent.extend(frame(2, 0, stream, &[0, 0, 0, 0, 15]));
        sent.extend(get(stream));
        for _ in 0..8 {
            sent.extend([frame(8, 0, 0, &[0, 0, 4, 0]), frame(6, 0, 0, &[7; 8])].concat());
        }
    }
    writes.write_all(&sent).await.unwrap();
    let (mut answer, mut piece) = (Vec::<u8>::new(), [0; 16 * 1024]);
    while answer.windows(4).filter(|four| four == b"\"ok\"").count() < 50 {
        let read = timeout(Duration::from_secs(30), reads.read(&mut piece)).await.unwrap().unwrap();
        assert_ne!(read, 0, "it hung up");
        answer.extend(&piece[..read]);
    }
}
