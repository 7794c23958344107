//! Sends invalidations between processes through one Redis channel, to which every process publishes and subscribes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::StreamExt;
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, ConnectionAddr, Msg, TlsCertificates,
    aio::{MultiplexedConnection, PubSubStream},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{Invalidation, Namespace, RedisRateLimiter, invalidation_log::InvalidationLog, redis_metrics};
use crate::{
    base::backoff::backoff,
    runtime::{config::Config, tls::Authorities},
};

/// The channel, inside the namespace of the installation.
const CHANNEL: &str = "touches";
/// Version of the message format. A process that receives another version invalidates everything.
const VERSION: &str = "1";
/// Maximum number of invalidations that wait to be sent. More than that are sent as one invalidation of everything.
const QUEUE_SIZE: usize = 4096;
/// Maximum number of invalidations in one message.
const MAX_PER_MESSAGE: usize = 512;
/// How long Redis may take to respond.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often a process publishes, and expects to receive its own messages, because a connection can be dead without an
/// error.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The delay before the first attempt to reconnect,
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// and the maximum delay before later ones.
const MAX_DELAY: Duration = Duration::from_secs(4);

/// The sending end.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::Sender<Invalidation>,
    lost: Arc<AtomicBool>,
}

impl Outgoing {
    /// Queues an invalidation to be sent. Never waits.
    pub(super) fn send(&self, invalidation: Invalidation) {
        if self.queue.try_send(invalidation).is_err() {
            self.lost.store(true, SeqCst);
        }
    }
}

/// The connection to the other processes. It works while [`RedisPubSub::run`] runs.
pub struct RedisPubSub {
    client: Client,
    /// The prefix of the keys of this installation.
    namespace: Namespace,
    invalidation_log: Arc<InvalidationLog>,
    queue: mpsc::Receiver<Invalidation>,
    /// Was an invalidation not sent?
    lost: Arc<AtomicBool>,
    /// Identifies this process, which receives its own messages, too.
    own_id: u64,
}

/// A client of the Redis at `url`. It connects when it is used. The certificate of a `rediss://` server is verified
/// with the trusted authorities of the settings.
///
/// # Errors
/// If the URL is invalid, as a sentence without the URL, which may contain a password.
pub fn client(url: &str, config: &Config) -> Result<Client, String> {
    let client = Client::open(url).map_err(|error| error.to_string())?;
    if !matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(client);
    }
    let root_cert = Some(Authorities::load(config).pem().into_bytes());
    let certificates = TlsCertificates { client_tls: None, root_cert };
    Client::build_with_tls(url, certificates).map_err(|error| error.to_string())
}

/// Creates both ends. The error is a sentence for people, without the URL, which may contain a password.
pub(super) fn new_pubsub(
    url: &str,
    config: &Config,
    namespace: Namespace,
    invalidation_log: Arc<InvalidationLog>,
) -> Result<(Outgoing, RedisPubSub), String> {
    let client = client(url, config)?;
    let own_id = getrandom::u64().map_err(|error| error.to_string())?;
    let (sender, queue) = mpsc::channel(QUEUE_SIZE);
    let lost = Arc::new(AtomicBool::new(false));
    let outgoing = Outgoing { queue: sender, lost: Arc::clone(&lost) };
    Ok((outgoing, RedisPubSub { client, namespace, invalidation_log, queue, lost, own_id }))
}

/// The open connections: one to publish, one to subscribe.
struct Connections {
    publisher: MultiplexedConnection,
    subscriber: PubSubStream,
}

impl RedisPubSub {
    pub(super) fn rate_limiter(&self, deadline: Duration) -> RedisRateLimiter {
        RedisRateLimiter::new(self.client.clone(), self.namespace.clone(), deadline)
    }

    /// Publishes and receives forever. It reconnects when the connection is lost; until then, cache entries only
    /// expire.
    pub async fn run(mut self) {
        redis_metrics::observe_connection();
        let (mut failures, mut was_unavailable) = (0, false);
        loop {
            let began = Instant::now();
            let fault = match self.connect().await {
                Ok(connections) => {
                    if was_unavailable {
                        tracing::info!("Redis available again for cache invalidation");
                    }
                    was_unavailable = false;
                    redis_metrics::set_connected(true);
                    let fault = self.exchange(connections).await;
                    redis_metrics::set_connected(false);
                    fault
                }
                Err(fault) => fault,
            };
            if !was_unavailable {
                tracing::warn!(
                    fault,
                    "Redis unavailable for cache invalidation: changes by other processes are noticed when cache entries expire"
                );
            }
            was_unavailable = true;
            failures = if began.elapsed() > HEARTBEAT { 1 } else { failures + 1 };
            sleep(backoff(failures, FIRST_DELAY, MAX_DELAY)).await;
        }
    }

    async fn connect(&self) -> Result<Connections, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let connected = timeout(TIMEOUT, async {
            let mut subscriber = self.client.get_async_pubsub().await?;
            subscriber.subscribe(self.namespace.name(CHANNEL)).await?;
            let publisher = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::RedisResult::Ok(Connections { publisher, subscriber: subscriber.into_on_message() })
        });
        let connected = connected.await.map_err(|_| "it does not respond".to_owned())?;
        connected.map_err(|error| error.to_string())
    }

    /// Runs until the connection is lost, and returns the reason.
    async fn exchange(&mut self, Connections { mut publisher, mut subscriber }: Connections) -> String {
        // Both sides missed what was sent in the meantime.
        self.invalidation_log.record(Invalidation::Everything);
        self.lost.store(true, SeqCst);
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut has_response, mut invalidations) = (true, Vec::new());
        loop {
            tokio::select! {
                message = subscriber.next() => {
                    let Some(message) = message else { return "the connection was closed".to_owned() };
                    has_response |= self.handle(&message);
                    continue;
                }
                1.. = self.queue.recv_many(&mut invalidations, MAX_PER_MESSAGE) => {}
                _ = beat.tick() => {
                    if !std::mem::take(&mut has_response) {
                        return "it no longer responds".to_owned();
                    }
                }
            }
            if self.lost.swap(false, SeqCst) {
                invalidations = vec![Invalidation::Everything];
            }
            let published: redis::RedisResult<()> =
                publisher.publish(self.namespace.name(CHANNEL), encode(self.own_id, &invalidations)).await;
            if let Err(error) = published {
                self.lost.store(true, SeqCst);
                return error.to_string();
            }
            invalidations.clear();
        }
    }

    /// Applies a message. Returns `true` if this process sent it.
    fn handle(&self, message: &Msg) -> bool {
        match decode(&String::from_utf8_lossy(message.get_payload_bytes())) {
            Some((from, _)) if from == self.own_id => return true,
            Some((_, invalidations)) => {
                invalidations.into_iter().for_each(|invalidation| self.invalidation_log.record(invalidation));
            }
            None => self.invalidation_log.record(Invalidation::Everything),
        }
        false
    }
}

/// Format: `1 00c0ffee00c0ffee s0190b3a0-… u0190b3a1-…`: version, sender and invalidations; `*` is everything.
fn encode(from: u64, invalidations: &[Invalidation]) -> String {
    let parts = invalidations.iter().map(|invalidation| match invalidation {
        Invalidation::Session(id) => format!("s{id}"),
        Invalidation::User(id) => format!("u{id}"),
        Invalidation::Org(id) => format!("o{id}"),
        Invalidation::AnyOrg | Invalidation::Everything => "*".to_owned(),
    });
    let head = [VERSION.to_owned(), format!("{from:016x}")];
    head.into_iter().chain(parts).collect::<Vec<_>>().join(" ")
}

/// The sender and its invalidations; `None` if the message has another version or is invalid.
fn decode(message: &str) -> Option<(u64, Vec<Invalidation>)> {
    use crate::base::ids::{OrgId, SessionId, UserId};
    let mut parts = message.split(' ');
    let version = parts.next()?;
    let from = u64::from_str_radix(parts.next()?, 16).ok()?;
    let invalidation = |word: &str| -> Option<Invalidation> {
        if word == "*" {
            return Some(Invalidation::Everything);
        }
        let id = word.get(1..)?.parse().ok()?;
        match word.get(..1)? {
            "s" => Some(Invalidation::Session(SessionId(id))),
            "u" => Some(Invalidation::User(UserId(id))),
            "o" => Some(Invalidation::Org(OrgId(id))),
            _ => None,
        }
    };
    (version == VERSION).then_some(())?;
    Some((from, parts.map(invalidation).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        clock::Clock,
        ids::{OrgId, SessionId, UserId},
    };

    #[test]
    fn a_message_has_its_sender_and_its_invalidations() {
        let now = Clock::System.now();
        let invalidations = [
            Invalidation::Session(SessionId::new(now)),
            Invalidation::User(UserId::new(now)),
            Invalidation::Org(OrgId::new(now)),
            Invalidation::Everything,
        ];
        for invalidations in [&invalidations[..], &[]] {
            assert_eq!(decode(&encode(u64::MAX, invalidations)), Some((u64::MAX, invalidations.to_vec())));
        }
        let id = "0190b3a0-0000-7000-8000-000000000001";
        let message = format!("1 00000000000000ff u{id} *");
        let user = Invalidation::User(UserId(id.parse().unwrap()));
        assert_eq!(decode(&message), Some((255, vec![user, Invalidation::Everything])));
        assert_eq!(encode(255, &[user, Invalidation::Everything]), message);
    }

    #[test]
    fn invalid_messages_are_refused_as_a_whole() {
        for message in ["", "1", "2 ff *", "1 xyz *", "1 ff x", "1 ff s1", "1 ff é", "1 ff  *", "{}"] {
            assert_eq!(decode(message), None, "{message}");
        }
    }

    fn config() -> Config {
        Config::read(&crate::runtime::config::Sources::only(&[])).unwrap()
    }

    #[test]
    fn a_full_queue_becomes_one_invalidation_of_everything() {
        let (outgoing, pubsub) =
            new_pubsub("redis://127.0.0.1:1", &config(), Namespace::of("a"), Arc::default()).unwrap();
        (0..QUEUE_SIZE).for_each(|_| outgoing.send(Invalidation::User(UserId::new(Clock::System.now()))));
        assert!(!pubsub.lost.load(SeqCst));
        outgoing.send(Invalidation::Everything);
        assert!(pubsub.lost.load(SeqCst));
    }

    #[test]
    fn the_error_about_a_url_does_not_contain_it() {
        let created =
            new_pubsub("http://:hunter2@example.com", &config(), Namespace::of("a"), Arc::default());
        let fault = created.err().unwrap();
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_an_error_and_not_a_crash() {
        let peer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://{}", peer.local_addr().unwrap());
        let (_outgoing, pubsub) = new_pubsub(&url, &config(), Namespace::of("a"), Arc::default()).unwrap();
        let (connected, _) = tokio::join!(pubsub.connect(), async { drop(peer.accept().await) });
        assert!(connected.is_err());
    }

    #[tokio::test]
    async fn a_certificate_of_the_setting_is_trusted() {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let server =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let peer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://{}", peer.local_addr().unwrap());
        for (settings, is_trusted) in [(vec![("INSULA_CA", own.cert.pem())], true), (Vec::new(), false)] {
            let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let config = Config::read(&crate::runtime::config::Sources::only(&settings)).unwrap();
            let client = client(&url, &config).unwrap();
            let accepted = async {
                let (stream, _) = peer.accept().await.unwrap();
                // The server closes the connection after the handshake, which succeeds only if the client trusts the
                // certificate.
                acceptor.accept(stream).await.is_ok()
            };
            let (connected, accepted) = tokio::join!(client.get_multiplexed_async_connection(), accepted);
            assert_eq!((connected.is_err(), accepted), (true, is_trusted), "{settings:?}");
        }
    }
}
