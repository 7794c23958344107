//! Requests that are answered before their body is read: the connection continues, or the response announces its end.

use std::{future::poll_fn, task::Poll};

use super::*;

/// A request that is refused, up to the headers, with the length of its body.
const REFUSED: &str = "POST /nowhere HTTP/1.1\r\nhost: a\r\n";
const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";

/// The next response with a `Content-Length`. Empty if the server closed the connection, and an error if it
/// reset it.
async fn next_answer(socket: &mut TcpStream) -> io::Result<String> {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                return Ok(text);
            }
        }
        let mut byte = [0];
        if socket.read(&mut byte).await? == 0 {
            return Ok(text);
        }
        answer.extend(byte);
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

fn is_last(answer: &str) -> bool {
    answer.contains("connection: close")
}

/// Like clients in Python: head and body in two packets.
#[tokio::test]
async fn a_connection_continues_after_an_unread_body() {
    let server = start(Limits { idle: ms(5000), ..limits() }).await;
    let smuggled = String::from_utf8_lossy(GET).into_owned();
    let counted = format!("{REFUSED}content-length: {}\r\n\r\n", smuggled.len());
    let chunked = format!("{REFUSED}transfer-encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    let long = "x".repeat(60 * 1024);
    let counted_long = format!("{REFUSED}content-length: {}\r\n\r\n", long.len());
    for (head, body) in [(&counted, &smuggled), (&chunked, &chunk), (&counted_long, &long)] {
        let mut socket = server.connect().await;
        for pause in [ZERO, ms(1), ms(20), ms(300)] {
            for cut in [0, 1, body.len() / 2] {
                socket.write_all(&[head.as_bytes(), &body.as_bytes()[..cut]].concat()).await.unwrap();
                sleep(pause).await;
                socket.write_all(&body.as_bytes()[cut..]).await.unwrap();
                let answer = next_answer(&mut socket).await.unwrap();
                assert_eq!((status(&answer), is_last(&answer)), ("404", false), "{head}{pause:?} {answer}");
                socket.write_all(GET).await.unwrap();
                let answer = next_answer(&mut socket).await.unwrap();
                assert!(status(&answer) == "200" && answer.ends_with("alive"), "{head}{pause:?} {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_after_an_unread_body_is_answered_in_order() {
    let server = start(limits()).await;
    let body = [b'x'; 5000];
    let head = format!("{REFUSED}content-length: {}\r\n\r\n", body.len());
    let all = [head.as_bytes(), &body, GET, head.as_bytes(), &body, GET].concat();
    for cut in [all.len(), head.len(), head.len() + 1, head.len() + body.len() + 3, all.len() - GET.len() - 1]
    {
        let mut socket = server.connect().await;
        socket.write_all(&all[..cut]).await.unwrap();
        sleep(ms(50)).await;
        socket.write_all(&all[cut..]).await.unwrap();
        for expected in ["404", "200", "404", "200"] {
            let answer = next_answer(&mut socket).await.unwrap();
            assert_eq!((status(&answer), is_last(&answer)), (expected, false), "{cut}: {answer}");
        }
    }
}

/// Limited in time and in bytes. The rest is not read as a request (CWE-444).
#[tokio::test]
async fn a_connection_that_ends_with_a_body_announces_it_without_a_reset() {
    let server = start(Limits { idle: ms(5000), ..limits() }).await;
    let body = [GET, &[b'x'; 300 * 1024]].concat();
    let long = format!("{REFUSED}content-length: {}\r\n\r\n", body.len());
    let unending = format!("{REFUSED}transfer-encoding: chunked\r\n\r\n30000\r\n");
    let rest = format!("{REFUSED}content-length: {}\r\n\r\n", GET.len());
    let broken = format!("{REFUSED}transfer-encoding: chunked\r\n\r\n");
    let waiting = format!("{REFUSED}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", GET.len());
    for (head, at_once, least, most) in [
        (&long, 0, ZERO, ms(600)),
        (&long, body.len(), ZERO, ms(600)),
        (&unending, body.len(), ZERO, ms(600)),
        (&rest, 0, ms(900), ms(3000)),
        (&rest, 5, ms(900), ms(3000)),
        (&broken, GET.len(), ZERO, ms(600)),
        (&waiting, 0, ZERO, ms(600)),
    ] {
        let mut socket = server.connect().await;
        socket.write_all(&[head.as_bytes(), &body[..at_once]].concat()).await.unwrap();
        let started = Instant::now();
        let answer = next_answer(&mut socket).await.unwrap();
        let took = started.elapsed();
        assert_eq!((status(&answer), is_last(&answer)), ("404", true), "{head}{answer}");
        assert!(took >= least && took < most, "{head}{took:?}");
        // A client that continues to send for a while still reads the end of the response, without a reset.
        for piece in body[at_once..].chunks(50 * 1024) {
            socket.write_all(piece).await.unwrap();
            sleep(ms(100)).await;
        }
        socket.write_all(GET).await.unwrap();
        assert_eq!(next_answer(&mut socket).await.unwrap(), "", "{head}");
    }
}

/// Sends a request with a body in parts of 16 KiB. Returns the status, and the reason if its stream was
/// reset.
async fn post(
    client: &mut h2::client::SendRequest<bytes::Bytes>,
    length: usize,
    pause: Duration,
) -> (u16, Option<h2::Reason>) {
    let request = poem::http::Request::post("http://a/nowhere").body(()).unwrap();
    *client = client.clone().ready().await.unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    sleep(pause).await;
    let mut left = length;
    let reset = loop {
        body.reserve_capacity(left.min(16 * 1024));
        let ready = poll_fn(|cx| match body.poll_reset(cx) {
            Poll::Ready(reason) => Poll::Ready(Err(reason.unwrap())),
            Poll::Pending => body.poll_capacity(cx).map(|capacity| Ok(capacity.unwrap().unwrap())),
        });
        let capacity = match ready.await {
            Ok(capacity) => capacity.min(left),
            Err(reason) => break Some(reason),
        };
        left -= capacity;
        body.send_data(vec![b'x'; capacity].into(), left == 0).unwrap();
        if left == 0 {
            break None;
        }
    };
    (response.await.unwrap().status().as_u16(), reset)
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test does not wait for the task of the connection")]
async fn an_http2_connection_continues_after_an_unread_body() {
    let server = start(Limits { idle: ms(5000), ..limits() }).await;
    let (mut client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap() });
    for pause in [ZERO, ms(20), ms(300)] {
        assert_eq!(post(&mut client, 60 * 1024, pause).await, (404, None), "{pause:?}");
    }
    // A longer body is stopped without an error (RFC 9113 §8.1); more of them than a connection can have in
    // flight.
    for _ in 0..20 {
        let (status, reset) = post(&mut client, 1024 * 1024, ms(20)).await;
        assert!(status == 404 && reset.is_none_or(|reason| reason == h2::Reason::NO_ERROR), "{reset:?}");
    }
    let get = poem::http::Request::get("http://a/livez").body(()).unwrap();
    let answer = client.ready().await.unwrap().send_request(get, true).unwrap().0.await.unwrap();
    assert_eq!(answer.status(), 200);
}
