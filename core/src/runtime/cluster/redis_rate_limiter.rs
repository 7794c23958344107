//! Rate limits that all processes share, counted in Redis.

use std::{
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, Script, ScriptInvocation, aio::MultiplexedConnection,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::Namespace;
use crate::runtime::telemetry::{metrics, traces};

/// How long Redis is not used after it did not respond in time.
const PAUSE: Duration = Duration::from_secs(1);

/// The generic cell rate algorithm. Each bucket is one number: the instant at which it will be full, in microseconds,
/// by the clock of Redis.
const TAKE_TOKEN: &str = r"
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
if full_at < now then full_at = now end
local next = full_at + interval
local wait = next - burst * interval - now
if wait > 0.5 then return {0, 0, math.ceil(full_at - now), math.ceil(wait)} end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return {1, math.floor(burst - (next - now) / interval + 0.01), math.ceil(next - now), 0}
";

/// Failed logins of an account: their number, and the instant of the last one. The wait doubles with each failure after
/// the free ones, up to a minute.
const LOGIN_WAIT: &str = r"
local wrong = redis.call('HMGET', KEYS[1], 'times', 'last')
if not wrong[1] or tonumber(wrong[1]) < tonumber(ARGV[1]) then return 0 end
local wait = math.min(2 ^ (tonumber(wrong[1]) - tonumber(ARGV[1])), 60) * 1000000
local time = redis.call('TIME')
return math.max(0, math.ceil(tonumber(wrong[2]) + wait - time[1] * 1000000 - time[2]))
";
const RECORD_FAILURE: &str = r"
local time = redis.call('TIME')
redis.call('HINCRBY', KEYS[1], 'times', 1)
redis.call('HSET', KEYS[1], 'last', string.format('%.0f', time[1] * 1000000 + time[2]))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 0
";
const CLEAR_FAILURES: &str = "redis.call('DEL', KEYS[1]) return 0";

/// The result of taking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisRateReply {
    /// The number of tokens left.
    pub remaining: u32,
    /// The time until the bucket is full.
    pub reset: Duration,
    /// The time until the next token; `None` if there was one.
    pub wait: Option<Duration>,
}

/// The buckets of one installation. Cheap to clone.
#[derive(Clone)]
pub struct RedisRateLimiter(Arc<Inner>);

struct Inner {
    client: Client,
    namespace: Namespace,
    /// How long a request waits for Redis.
    reply_timeout: Duration,
    take_token: Script,
    login_wait: Script,
    record_failure: Script,
    clear_failures: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
    paused_until: SyncMutex<Option<Instant>>,
}

impl RedisRateLimiter {
    pub(super) fn new(client: Client, namespace: Namespace, reply_timeout: Duration) -> Self {
        let (connection, paused_until) = Default::default();
        let [take_token, login_wait, record_failure, clear_failures] =
            [TAKE_TOKEN, LOGIN_WAIT, RECORD_FAILURE, CLEAR_FAILURES].map(Script::new);
        Self(Arc::new(Inner {
            client,
            namespace,
            reply_timeout,
            take_token,
            login_wait,
            record_failure,
            clear_failures,
            connection,
            paused_until,
        }))
    }

    /// Takes a token from the bucket `key` of `class`, which holds `burst` tokens and gets one each `interval`. `None`
    /// if Redis is not available in time.
    pub(crate) async fn take(
        &self,
        class: &str,
        key: &str,
        interval: Duration,
        burst: u32,
    ) -> Option<RedisRateReply> {
        let interval = format!("{:.3}", interval.as_secs_f64() * 1_000_000.0);
        let mut script = self.0.take_token.key(self.0.namespace.name(&format!("limit:{class}:{key}")));
        script.arg(interval).arg(burst);
        let (is_allowed, remaining, reset, wait): (u8, u32, u64, u64) = self.run_script(&script).await?;
        let wait = (is_allowed == 0).then(|| Duration::from_micros(wait));
        Some(RedisRateReply { remaining, reset: Duration::from_micros(reset), wait })
    }

    /// How long the next login of `account` must wait. `None` if Redis is not available.
    pub(crate) async fn login_wait(&self, account: &str, free: u32) -> Option<Duration> {
        self.run_script(self.0.login_wait.key(self.failed_logins_key(account)).arg(free))
            .await
            .map(Duration::from_micros)
    }

    /// Counts a failed login, if Redis is available.
    pub(crate) async fn record_failed_login(&self, account: &str, ttl: Duration) {
        let _: Option<u8> = self
            .run_script(self.0.record_failure.key(self.failed_logins_key(account)).arg(ttl.as_secs()))
            .await;
    }

    /// Resets the failed logins, if Redis is available.
    pub(crate) async fn clear_failed_logins(&self, account: &str) {
        let _: Option<u8> =
            self.run_script(&self.0.clear_failures.key(self.failed_logins_key(account))).await;
    }

    async fn run_script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        if self.is_paused() {
            return None;
        }
        let reply = async {
            let mut connection = self.connection().await?;
            script.invoke_async(&mut connection).await
        };
        let (started, span) = (Instant::now(), traces::redis());
        let reply = timeout(self.0.reply_timeout, reply).await;
        let error_type = match &reply {
            Ok(Ok(_)) => None,
            Ok(Err(_)) => Some("failed"),
            Err(_) => Some("timeout"),
        };
        metrics::database_operation("redis", "EVALSHA", error_type, started.elapsed());
        let fault = match reply {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not respond in time".to_owned(),
        };
        span.fail("unavailable");
        self.pause();
        *self.0.connection.lock().await = None;
        tracing::warn!(fault, "Redis unavailable for rate limits: each process applies its own share");
        None
    }

    async fn connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        let mut open = self.0.connection.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.0.reply_timeout))
            .set_response_timeout(Some(self.0.reply_timeout));
        let connection = self.0.client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }

    fn failed_logins_key(&self, account: &str) -> String {
        self.0.namespace.name(&format!("guesses:{account}"))
    }

    fn is_paused(&self) -> bool {
        let until = *self.0.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn pause(&self) {
        *self.0.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
    }
}
