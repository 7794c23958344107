//! Touches carried between processes by Redis: one channel, on which every process speaks and listens.

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

use super::{Invalidation, Namespace, RedisRateLimiter, invalidation_log::InvalidationLog};
use crate::{
    base::backoff::backoff,
    runtime::{config::Config, tls::Authorities},
};

/// Where all processes of an installation speak and listen.
const CHANNEL: &str = "touches";
/// Which language is spoken there. Who hears another one forgets everything, and so is never wrong.
const VERSION: &str = "1";
/// Most touches that wait to be sent; what is more is sent as one that forgets everything.
const WAITING: usize = 4096;
/// Most touches of one message.
const TOGETHER: usize = 512;
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a process listens for its own voice: a connection can be dead without saying so.
const BEAT: Duration = Duration::from_secs(5);
/// How long to wait before the first attempt to connect again,
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// and at most before a later one.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The end that publishes.
#[derive(Clone)]
pub(super) struct Outgoing {
    waiting: mpsc::Sender<Invalidation>,
    lost: Arc<AtomicBool>,
}

impl Outgoing {
    /// Leaves a touch to be sent. Waits for nothing.
    pub(super) fn send(&self, touch: Invalidation) {
        if self.waiting.try_send(touch).is_err() {
            self.lost.store(true, SeqCst);
        }
    }
}

/// The connection to the other processes; does its work while [`Link::run`] runs.
pub struct RedisPubSub {
    client: Client,
    /// What keeps our names apart from those of others on this Redis.
    namespace: Namespace,
    touched: Arc<InvalidationLog>,
    waiting: mpsc::Receiver<Invalidation>,
    /// Was something not sent that should have been?
    lost: Arc<AtomicBool>,
    /// Tells its own voice from others'.
    own: u64,
}

/// A client of the Redis at `url`; it connects when it is used. A server of `rediss://` is checked by the authorities that
/// the settings trust.
///
/// # Errors
/// A URL that cannot be read, as a sentence that does not repeat it: it may hold a password.
pub fn client(url: &str, config: &Config) -> Result<Client, String> {
    let client = Client::open(url).map_err(|error| error.to_string())?;
    if !matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(client);
    }
    let root_cert = Some(Authorities::load(config).pem().into_bytes());
    let certificates = TlsCertificates { client_tls: None, root_cert };
    Client::build_with_tls(url, certificates).map_err(|error| error.to_string())
}

/// Both ends. The error is a sentence for people, without the URL, which may hold a password.
pub(super) fn link(
    url: &str,
    config: &Config,
    namespace: Namespace,
    touched: Arc<InvalidationLog>,
) -> Result<(Outgoing, RedisPubSub), String> {
    let client = client(url, config)?;
    let own = getrandom::u64().map_err(|error| error.to_string())?;
    let (sender, waiting) = mpsc::channel(WAITING);
    let lost = Arc::new(AtomicBool::new(false));
    let outgoing = Outgoing { waiting: sender, lost: Arc::clone(&lost) };
    Ok((outgoing, RedisPubSub { client, namespace, touched, waiting, lost, own }))
}

/// An open conversation.
struct Conversation {
    mouth: MultiplexedConnection,
    ears: PubSubStream,
}

impl RedisPubSub {
    pub(super) fn counters(&self, deadline: Duration) -> RedisRateLimiter {
        RedisRateLimiter::new(self.client.clone(), self.namespace.clone(), deadline)
    }

    /// Speaks and listens for ever; connects again when the connection is lost. While there is none, what is remembered
    /// ends by time alone.
    pub async fn run(mut self) {
        let (mut failures, mut was_away) = (0, false);
        loop {
            let began = Instant::now();
            let fault = match self.connect().await {
                Ok(conversation) => {
                    if was_away {
                        tracing::info!("Redis available again for cache invalidation");
                    }
                    was_away = false;
                    self.converse(conversation).await
                }
                Err(fault) => fault,
            };
            if !was_away {
                tracing::warn!(
                    fault,
                    "Redis unavailable for cache invalidation: changes by other processes are noticed when cache entries expire"
                );
            }
            was_away = true;
            failures = if began.elapsed() > BEAT { 1 } else { failures + 1 };
            sleep(backoff(failures, FIRST_PAUSE, LONGEST_PAUSE)).await;
        }
    }

    async fn connect(&self) -> Result<Conversation, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connected = timeout(PATIENCE, async {
            let mut ears = self.client.get_async_pubsub().await?;
            ears.subscribe(self.namespace.name(CHANNEL)).await?;
            let mouth = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::RedisResult::Ok(Conversation { mouth, ears: ears.into_on_message() })
        });
        let connected = connected.await.map_err(|_| "it does not respond".to_owned())?;
        connected.map_err(|error| error.to_string())
    }

    /// Until the connection is lost; gives the reason.
    async fn converse(&mut self, Conversation { mut mouth, mut ears }: Conversation) -> String {
        // What was said meanwhile was missed, on both sides.
        self.touched.note(Invalidation::Everything);
        self.lost.store(true, SeqCst);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_heard, mut touches) = (true, Vec::new());
        loop {
            tokio::select! {
                message = ears.next() => {
                    let Some(message) = message else { return "the connection was closed".to_owned() };
                    is_heard |= self.hear(&message);
                    continue;
                }
                1.. = self.waiting.recv_many(&mut touches, TOGETHER) => {}
                _ = beat.tick() => {
                    if !std::mem::take(&mut is_heard) {
                        return "it no longer responds".to_owned();
                    }
                }
            }
            if self.lost.swap(false, SeqCst) {
                touches = vec![Invalidation::Everything];
            }
            let said: redis::RedisResult<()> =
                mouth.publish(self.namespace.name(CHANNEL), encode(self.own, &touches)).await;
            if let Err(error) = said {
                self.lost.store(true, SeqCst);
                return error.to_string();
            }
            touches.clear();
        }
    }

    /// Does what a message says. `true`: it was one's own.
    fn hear(&self, message: &Msg) -> bool {
        match decode(&String::from_utf8_lossy(message.get_payload_bytes())) {
            Some((from, _)) if from == self.own => return true,
            Some((_, touches)) => touches.into_iter().for_each(|touch| self.touched.note(touch)),
            None => self.touched.note(Invalidation::Everything),
        }
        false
    }
}

/// `1 00c0ffee00c0ffee s0190b3a0-… u0190b3a1-…`: version, sender, and what was touched; `*` is everything.
fn encode(from: u64, touches: &[Invalidation]) -> String {
    let words = touches.iter().map(|touch| match touch {
        Invalidation::Session(id) => format!("s{id}"),
        Invalidation::User(id) => format!("u{id}"),
        Invalidation::Org(id) => format!("o{id}"),
        Invalidation::Everything => "*".to_owned(),
    });
    let head = [VERSION.to_owned(), format!("{from:016x}")];
    head.into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// The sender and what he touched; `None` when it is of another version, or none of ours.
fn decode(message: &str) -> Option<(u64, Vec<Invalidation>)> {
    use crate::base::ids::{OrgId, SessionId, UserId};
    let mut words = message.split(' ');
    let version = words.next()?;
    let from = u64::from_str_radix(words.next()?, 16).ok()?;
    let touch = |word: &str| -> Option<Invalidation> {
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
    Some((from, words.map(touch).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        clock::Clock,
        ids::{OrgId, SessionId, UserId},
    };

    #[test]
    fn a_message_says_who_touched_what() {
        let now = Clock::System.now();
        let touches = [
            Invalidation::Session(SessionId::new(now)),
            Invalidation::User(UserId::new(now)),
            Invalidation::Org(OrgId::new(now)),
            Invalidation::Everything,
        ];
        for touches in [&touches[..], &[]] {
            assert_eq!(decode(&encode(u64::MAX, touches)), Some((u64::MAX, touches.to_vec())));
        }
        let id = "0190b3a0-0000-7000-8000-000000000001";
        let message = format!("1 00000000000000ff u{id} *");
        let user = Invalidation::User(UserId(id.parse().unwrap()));
        assert_eq!(decode(&message), Some((255, vec![user, Invalidation::Everything])));
        assert_eq!(encode(255, &[user, Invalidation::Everything]), message);
    }

    #[test]
    fn what_is_not_understood_is_not_half_understood() {
        for message in ["", "1", "2 ff *", "1 xyz *", "1 ff x", "1 ff s1", "1 ff é", "1 ff  *", "{}"] {
            assert_eq!(decode(message), None, "{message}");
        }
    }

    fn config() -> Config {
        Config::read(&crate::runtime::config::Sources::only(&[])).unwrap()
    }

    #[test]
    fn too_much_to_send_becomes_one_touch_of_everything() {
        let (outgoing, link) =
            link("redis://127.0.0.1:1", &config(), Namespace::of("a"), Arc::default()).unwrap();
        (0..WAITING).for_each(|_| outgoing.send(Invalidation::User(UserId::new(Clock::System.now()))));
        assert!(!link.lost.load(SeqCst));
        outgoing.send(Invalidation::Everything);
        assert!(link.lost.load(SeqCst));
    }

    #[test]
    fn a_url_is_refused_without_being_repeated() {
        let linked = link("http://:hunter2@example.com", &config(), Namespace::of("a"), Arc::default());
        let fault = linked.err().unwrap();
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[tokio::test]
    async fn a_peer_that_speaks_no_tls_is_a_fault_and_not_the_end() {
        let peer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://{}", peer.local_addr().unwrap());
        let (_outgoing, link) = link(&url, &config(), Namespace::of("a"), Arc::default()).unwrap();
        let (connected, _) = tokio::join!(link.connect(), async { drop(peer.accept().await) });
        assert!(connected.is_err());
    }

    #[tokio::test]
    async fn a_certificate_of_ours_is_trusted_where_the_setting_says_so() {
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
                // It hangs up after the handshake: whoever trusts it has got so far.
                acceptor.accept(stream).await.is_ok()
            };
            let (connected, accepted) = tokio::join!(client.get_multiplexed_async_connection(), accepted);
            assert_eq!((connected.is_err(), accepted), (true, is_trusted), "{settings:?}");
        }
    }
}
