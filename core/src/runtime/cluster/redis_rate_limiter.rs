//! Tokens that all processes take out of the same buckets, kept by Redis.

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

/// For so long Redis is not asked again that did not answer in time.
const REST: Duration = Duration::from_secs(1);

/// Generic cell rate algorithm: of each bucket one number is kept, the instant at which it will be full. In microseconds, by
/// the clock of Redis.
const TAKE: &str = r"
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

/// Wrong guesses at an account: how many, and when the last one was. The wait doubles with each that is not free, up to a minute.
const WAIT: &str = r"
local wrong = redis.call('HMGET', KEYS[1], 'times', 'last')
if not wrong[1] or tonumber(wrong[1]) < tonumber(ARGV[1]) then return 0 end
local wait = math.min(2 ^ (tonumber(wrong[1]) - tonumber(ARGV[1])), 60) * 1000000
local time = redis.call('TIME')
return math.max(0, math.ceil(tonumber(wrong[2]) + wait - time[1] * 1000000 - time[2]))
";
const WRONG: &str = r"
local time = redis.call('TIME')
redis.call('HINCRBY', KEYS[1], 'times', 1)
redis.call('HSET', KEYS[1], 'last', string.format('%.0f', time[1] * 1000000 + time[2]))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 0
";
const RIGHT: &str = "redis.call('DEL', KEYS[1]) return 0";

/// What came of taking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisRateReply {
    /// How many are left.
    pub remaining: u32,
    /// How long until the bucket is full.
    pub reset: Duration,
    /// How long until there is one, where there was none.
    pub wait: Option<Duration>,
}

/// The buckets of one installation. Cheap to clone.
#[derive(Clone)]
pub struct RedisRateLimiter(Arc<Inner>);

struct Inner {
    client: Client,
    namespace: Namespace,
    /// How long a request waits for Redis.
    deadline: Duration,
    take: Script,
    wait: Script,
    wrong: Script,
    right: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
    rests_until: SyncMutex<Option<Instant>>,
}

impl RedisRateLimiter {
    pub(super) fn new(client: Client, namespace: Namespace, deadline: Duration) -> Self {
        let (connection, rests_until) = Default::default();
        let [take, wait, wrong, right] = [TAKE, WAIT, WRONG, RIGHT].map(Script::new);
        Self(Arc::new(Inner {
            client,
            namespace,
            deadline,
            take,
            wait,
            wrong,
            right,
            connection,
            rests_until,
        }))
    }

    /// Takes a token out of the bucket `key` of `class`, which holds `burst` and gets one each `interval`. `None`: Redis
    /// cannot say, or not in time.
    pub(crate) async fn take(
        &self,
        class: &str,
        key: &str,
        interval: Duration,
        burst: u32,
    ) -> Option<RedisRateReply> {
        let interval = format!("{:.3}", interval.as_secs_f64() * 1_000_000.0);
        let mut ask = self.0.take.key(self.0.namespace.name(&format!("limit:{class}:{key}")));
        ask.arg(interval).arg(burst);
        let (is_allowed, remaining, reset, wait): (u8, u32, u64, u64) = self.ask(&ask).await?;
        let wait = (is_allowed == 0).then(|| Duration::from_micros(wait));
        Some(RedisRateReply { remaining, reset: Duration::from_micros(reset), wait })
    }

    /// How long whoever guesses at the password of `account` has still to wait. `None`: Redis cannot say.
    pub(crate) async fn guessing(&self, account: &str, free: u32) -> Option<Duration> {
        self.ask(self.0.wait.key(self.guesses(account)).arg(free)).await.map(Duration::from_micros)
    }

    /// Notes a wrong guess, where Redis answers.
    pub(crate) async fn guessed_wrong(&self, account: &str, remembered: Duration) {
        let _: Option<u8> = self.ask(self.0.wrong.key(self.guesses(account)).arg(remembered.as_secs())).await;
    }

    /// Forgets wrong guesses, where Redis answers.
    pub(crate) async fn guessed_right(&self, account: &str) {
        let _: Option<u8> = self.ask(&self.0.right.key(self.guesses(account))).await;
    }

    async fn ask<T: FromRedisValue>(&self, question: &ScriptInvocation<'_>) -> Option<T> {
        if self.rests() {
            return None;
        }
        let asked = async {
            let mut connection = self.connection().await?;
            question.invoke_async(&mut connection).await
        };
        let fault = match timeout(self.0.deadline, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not respond in time".to_owned(),
        };
        self.rest();
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
            .set_connection_timeout(Some(self.0.deadline))
            .set_response_timeout(Some(self.0.deadline));
        let connection = self.0.client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }

    fn guesses(&self, account: &str) -> String {
        self.0.namespace.name(&format!("guesses:{account}"))
    }

    fn rests(&self) -> bool {
        let until = *self.0.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self) {
        *self.0.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }
}
