mod kept;

use std::{net::SocketAddr, time::Instant};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use super::*;
use crate::test_api;

const ZERO: Duration = Duration::ZERO;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Short enough for tests, and different enough to show which one applied.
fn limits() -> Limits {
    Limits {
        header_time: ms(400),
        idle: ms(600),
        stall: ms(500),
        body_time: ms(500),
        request_time: ms(1500),
        drain_delay: ms(600),
        drain_time: ms(1000),
        ..Limits::default()
    }
}

struct Running {
    address: SocketAddr,
    ready: Readiness,
    stop: Option<oneshot::Sender<()>>,
    cut: JoinHandle<io::Result<usize>>,
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the task itself")]
async fn start_with(app: impl Endpoint + 'static, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, ready) = (listener.local_addr().unwrap(), Readiness::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let cut = tokio::spawn(serve(listener, app, limits, ready.clone(), stopped));
    Running { address, ready, stop: Some(stop), cut }
}

async fn start(limits: Limits) -> Running {
    start_with(test_api::app(limits), limits).await
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `head` and, after `pause` each, the `pieces` of a body. Returns the whole response and the time
    /// it took.
    async fn say(&self, head: &str, pieces: &[&[u8]], pause: Duration) -> (String, Duration) {
        let started = Instant::now();
        let (mut read, mut write) = self.connect().await.into_split();
        let mut answer = Vec::new();
        let sending = async {
            write.write_all(head.as_bytes()).await?;
            for piece in pieces {
                sleep(pause).await;
                write.write_all(piece).await?;
            }
            std::future::pending::<io::Result<()>>().await
        };
        tokio::select! {
            Err(_) = sending => {}
            _ = read.read_to_end(&mut answer) => {}
        }
        (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
    }
}

fn problem(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("application/problem+json"), "{head}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed() {
    let server = start(limits()).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (sent, pieces) in [
        ("", &[][..]),
        ("PRI * HTTP/2.0", &[][..]),
        (preface, &[][..]),
        (
            "GET /livez HTTP/1.1\r\n",
            &[&b"a: b\r\n"[..], b"c: d\r\n", b"e: f\r\n", b"g: h\r\n", b"i: j\r\n"][..],
        ),
    ] {
        let (answer, took) = server.say(sent, pieces, ms(150)).await;
        assert!(
            !answer.contains("200 OK") && took > ms(350) && took < ms(3000),
            "{sent:?} {took:?} {answer}"
        );
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_an_active_one_is_not() {
    let server = start(limits()).await;
    let (answer, took) = server.say("GET /livez HTTP/1.1\r\nhost: a\r\n\r\n", &[], ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");
    assert!(took > ms(350) && took < ms(3000), "{took:?}");
}

/// A connection that a load balancer keeps for longer than a head can take.
#[tokio::test]
async fn between_requests_a_connection_can_be_idle_but_not_slow() {
    let server = start(Limits { header_time: ms(400), idle: ms(60_000), ..limits() }).await;
    let mut socket = server.connect().await;
    let get = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    for _ in 0..2 {
        socket.write_all(get).await.unwrap();
        assert_ne!(socket.read(&mut [0; 1024]).await.unwrap(), 0);
        sleep(ms(1200)).await;
    }
    let started = Instant::now();
    for byte in get.chunks(1) {
        if socket.write_all(byte).await.is_err() {
            break;
        }
        sleep(ms(100)).await;
    }
    let read = socket.read(&mut [0; 1024]).await;
    assert!(!matches!(read, Ok(1..)), "a slow head was answered");
    assert!(started.elapsed() < ms(10_000));
}

#[tokio::test]
async fn heads_are_limited() {
    let server = start(limits()).await;
    let many = |count| (0..count).map(|n| format!("h{n}: x\r\n")).collect::<String>();
    let long = format!("h: {}\r\n", "x".repeat(70_000));
    for (headers, status) in [(many(99), "200"), (many(100), "431"), (long, "431")] {
        let (answer, _) =
            server.say(&format!("GET /livez HTTP/1.1\r\nhost: a\r\n{headers}\r\n"), &[], ZERO).await;
        assert_eq!(answer.get(9..12), Some(status), "{answer}");
    }
}

#[tokio::test]
async fn bodies_are_limited_by_their_actual_size() {
    let server = start(limits()).await;
    let body = vec![b'x'; 1024 * 1024];
    let declared =
        |bytes: usize| format!("POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n\r\n");
    let (answer, _) = server.say(&declared(body.len()), &[&body], ZERO).await;
    assert!(answer.ends_with("\r\n\r\n1048576"), "{answer}");
    let (answer, _) = server.say(&declared(body.len() + 1), &[], ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close"), "{answer}");
    assert_eq!(problem(&answer)["error"], "PAYLOAD_TOO_LARGE");
    let chunked = "POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"100000\r\n", &*body, b"\r\n1\r\nx\r\n"].concat();
    let (answer, _) = server.say(chunked, &[&chunk], ZERO).await;
    assert_eq!(problem(&answer)["error"], "PAYLOAD_TOO_LARGE");
}

/// A socket that is closed with unread bytes would discard the response.
#[tokio::test]
async fn a_client_that_is_refused_while_it_sends_can_read_the_response() {
    let server = start(limits()).await;
    for _ in 0..20 {
        let mut socket = server.connect().await;
        let body = vec![b'x'; 2 * 1024 * 1024];
        let head = format!("POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&body).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert_eq!(problem(&answer)["error"], "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn slow_bodies_and_slow_handlers_time_out() {
    let server = start(limits()).await;
    let post = "POST /api/v1/actions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    let (answer, took) = server.say(post, &[&b"x"[..]; 20], ms(50)).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("connection: close"), "{answer}");
    assert_eq!(problem(&answer)["error"], "REQUEST_TIMEOUT");
    assert!(took >= ms(500) && took < ms(1400), "{took:?}");
    let (answer, took) = server.say("GET /api/v1/failures/slow HTTP/1.1\r\nhost: a\r\n\r\n", &[], ZERO).await;
    assert_eq!(problem(&answer)["error"], "REQUEST_TIMEOUT");
    assert!(took >= ms(1500) && took < ms(4000), "{took:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let endless = poem::endpoint::make_sync(|_| vec![b'x'; 64 * 1024 * 1024]);
    let server = start_with(endless, limits()).await;
    let mut socket = server.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    sleep(ms(1500)).await;
    let mut answer = Vec::new();
    drop(socket.read_to_end(&mut answer).await);
    assert!(answer.len() < 64 * 1024 * 1024, "{}", answer.len());
}

#[tokio::test]
async fn connections_are_limited() {
    let server = start(Limits { connections_per_peer: 2, ..limits() }).await;
    let get = "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let held = (server.connect().await, server.connect().await);
    sleep(ms(50)).await;
    assert_eq!(server.say(get, &[], ZERO).await.0, "");
    drop(held);
    sleep(ms(50)).await;
    assert!(server.say(get, &[], ZERO).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stop_finishes_requests_in_flight_and_closes_stuck_ones() {
    let slow = poem::endpoint::make(|request: poem::Request| async move {
        let wait = if request.uri().path() == "/hang" { 10_000 } else { 700 };
        sleep(ms(wait)).await;
        "done"
    });
    let mut server = start_with(slow, limits()).await;
    sleep(ms(50)).await;
    assert!(server.ready.is_ready());
    let stop = server.stop.take().unwrap();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut hanging = server.connect().await;
    hanging.write_all(get("/hang").as_bytes()).await.unwrap();
    let in_flight = async {
        sleep(ms(100)).await;
        server.say(&get("/"), &[], ZERO).await.0
    };
    let late = async {
        // Still accepted, before the listener closes.
        sleep(ms(400)).await;
        assert!(!server.ready.is_ready());
        server.say(&get("/"), &[], ZERO).await.0
    };
    let refused = async {
        sleep(ms(1300)).await;
        TcpStream::connect(server.address).await.is_err()
    };
    let stop = async {
        sleep(ms(200)).await;
        stop.send(()).unwrap();
    };
    let (first, second, refused, ()) = tokio::join!(in_flight, late, refused, stop);
    for answer in [first, second] {
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert!(refused);
    assert_eq!(server.cut.await.unwrap().unwrap(), 1);
}

/// Number of responses in the received text.
fn answers(received: &str) -> usize {
    received.matches("HTTP/1.1 200").count() + received.matches("HTTP/1.1 404").count()
}

/// Nothing of a request is left before the next one. Its unread body is not read as the next request (CWE-444).
#[tokio::test]
async fn an_unread_body_is_not_a_request() {
    let server = start(limits()).await;
    let smuggled = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    let head = format!("POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", smuggled.len());
    let at_once = format!("{head}{}", String::from_utf8_lossy(smuggled));
    for (sent, pieces) in
        [(&head, &[&smuggled[..]][..]), (&head, &[&smuggled[..9], &smuggled[9..]]), (&at_once, &[])]
    {
        for pause in [ZERO, ms(5), ms(100)] {
            let (received, _) = server.say(sent, pieces, pause).await;
            assert_eq!(answers(&received), 1, "{sent}{pieces:?}\n{received}");
        }
    }
}

#[tokio::test]
async fn pipelined_requests_work_in_any_chunks() {
    let server = start(limits()).await;
    let get = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    let post = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let (received, _) = server.say(&get.repeat(40), &[], ZERO).await;
    assert_eq!(answers(&received), 40);
    // The second request ends in the middle of the bytes that arrive at once, and the last one later.
    let all = [get, post, get, post].concat();
    for cut in [1, get.len() - 1, get.len() + 3, all.len() - 30, all.len() - 1] {
        let (first, rest) = all.split_at(cut);
        let (received, _) = server.say(first, &[rest.as_bytes()], ms(60)).await;
        assert_eq!(answers(&received), 4, "{cut}: {received}");
    }
}

#[tokio::test]
async fn a_slow_reader_can_send_another_request() {
    const LENGTH: usize = 24 * 1024 * 1024;
    let long = poem::endpoint::make_sync(|_| vec![b'x'; LENGTH]);
    let server = start_with(long, limits()).await;
    let mut socket = server.connect().await;
    for _ in 0..2 {
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let (mut piece, mut read) = (vec![0; 1024 * 1024], 0);
        while read < LENGTH {
            let length = socket.read(&mut piece).await.unwrap();
            assert_ne!(length, 0, "disconnected after {read}");
            read += length;
            sleep(ms(5)).await;
        }
    }
}

/// In frames (RFC 9113 §4.1), with header fields from HPACK's static table (RFC 7541, appendix A).
#[tokio::test]
async fn http2_works_too() {
    let server = start(limits()).await;
    let fields = [&[0x82, 0x86, 0x04, 6][..], b"/livez", &[0x01, 1], b"a"].concat();
    let length = u8::try_from(fields.len()).unwrap();
    let get = |stream: u8| [&[0, 0, length, 1, 5, 0, 0, 0, stream][..], &fields].concat();
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    for cut in [1, 14, preface.len()] {
        let (head, rest) = preface.split_at(cut);
        let pieces = [rest.as_bytes(), &settings, &get(1), &get(3)];
        let (received, _) = server.say(head, &pieces, ms(20)).await;
        assert_eq!(received.matches("alive").count(), 2, "{cut}: {received}");
    }
}
