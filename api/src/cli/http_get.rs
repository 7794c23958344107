//! A small HTTP client for `insula doctor` and `insula healthcheck`: one GET per connection, without redirects.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{HeaderMap, Request, Uri, header};
use hyper_util::rt::TokioIo;
use insula_core::runtime::{config::Config, tls::Authorities};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Maximum duration of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a body in bytes; the OpenAPI document has about 1 MB.
const MAX_BODY: usize = 16 << 20;

/// The response to a GET.
pub(super) struct HttpReply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) duration: Duration,
}

/// Requests `url`. The certificate of an `https` server is verified with the trusted authorities of `config`.
///
/// # Errors
/// Why there is no response, as a sentence.
pub(super) async fn get(url: &str, config: &Config) -> Result<HttpReply, String> {
    let started = Instant::now();
    let reply = timeout(TIMEOUT, request(url, config)).await;
    let (status, headers, body) =
        reply.map_err(|_| format!("{url} does not respond within {} s", TIMEOUT.as_secs()))??;
    Ok(HttpReply { status, headers, body, duration: started.elapsed() })
}

async fn request(url: &str, config: &Config) -> Result<(u16, HeaderMap, Bytes), String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let host = uri.host().ok_or_else(|| format!("{url} has no host"))?.trim_matches(['[', ']']).to_owned();
    let is_encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(format!("{url} must start with http:// or https://")),
    };
    let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await;
    let stream = stream.map_err(|error| format!("cannot connect to {host} port {port}: {error}"))?;
    if !is_encrypted {
        return exchange(stream, &uri).await;
    }
    let client = TlsConnector::from(Arc::new(Authorities::load(config).client()?));
    let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
    let stream = client.connect(name, stream).await;
    exchange(stream.map_err(|error| format!("TLS with {host} port {port} fails: {error}"))?, &uri).await
}

async fn exchange<S>(stream: S, uri: &Uri) -> Result<(u16, HeaderMap, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| format!("{uri}: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let authority = uri.authority().map_or("", hyper::http::uri::Authority::as_str);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(header::HOST, authority).header(header::CONNECTION, "close");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answer = async {
        let reply = sender.send_request(request).await.map_err(failed)?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let body = Limited::new(reply.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| format!("{uri}: {error}"))?.to_bytes();
        Ok((status, headers, body))
    };
    let mut answer = std::pin::pin!(answer);
    // The connection moves the bytes until the answer is complete.
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => {
            ended.map_err(failed)?;
            answer.await
        }
    }
}
