//! The HTTP client of OTLP over HTTP: one connection for each export, which happens every few seconds.

use std::{fmt, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    client::conn::http1,
    http::{HeaderValue, Uri, header},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, runtime::Handle, time::timeout};
use tokio_rustls::TlsConnector;

/// Maximum length of a response, in bytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// Sends each request on a new connection, within a time limit.
pub(super) struct OtlpHttpClient {
    /// The metrics are exported by a thread that is not part of the runtime.
    runtime: Handle,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl OtlpHttpClient {
    /// A client in the runtime of the caller. With `tls`, every connection uses it.
    pub(super) fn new(tls: Option<ClientConfig>, timeout: Duration) -> Self {
        let tls = tls.map(|client| TlsConnector::from(Arc::new(client)));
        Self { runtime: Handle::current(), tls, timeout }
    }
}

impl fmt::Debug for OtlpHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpHttpClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for OtlpHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (tls, limit) = (self.tls.clone(), self.timeout);
        let sending = async move { timeout(limit, send(tls, request)).await };
        let answer = self.runtime.spawn(sending).await?;
        answer.map_err(|_| HttpError::from(io::Error::from(io::ErrorKind::TimedOut)))?
    }
}

async fn send(tls: Option<TlsConnector>, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let default_port = if tls.is_some() { 443 } else { 80 };
    let port = request.uri().port_u16().unwrap_or(default_port);
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let stream = tls.connect(ServerName::try_from(host)?, stream).await?;
            exchange(TokioIo::new(stream), request).await
        }
        None => exchange(TokioIo::new(stream), request).await,
    }
}

async fn exchange<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    let (mut head, body) = request.into_parts();
    if let Some(authority) = head.uri.authority() {
        head.headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
    }
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    head.uri = path.parse::<Uri>()?;
    let answer = async move {
        let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    // The connection does its work only while it is polled, and ends with the response.
    let (answer, _) = futures_util::future::join(answer, connection).await;
    answer
}
