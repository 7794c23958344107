//! What operators want to know about Redis itself.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use redis::{AsyncConnectionConfig, InfoDict};
use tokio::time::timeout;

use super::redis_client;
use crate::{base::clock::Clock, runtime::config::Config};

/// How long Redis may take for all answers.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The state of a Redis.
#[derive(Clone, Debug)]
pub struct RedisFacts {
    /// The version, such as `7.0.15`.
    pub version: String,
    /// The time of a PING.
    pub latency: Duration,
    /// What Redis removes when its memory is full, such as `noeviction`; empty if it does not say.
    pub eviction_policy: String,
    /// How far its clock is ahead of the clock of this machine.
    pub clock_skew: TimeDelta,
}

/// Asks Redis about itself. Changes nothing.
///
/// # Errors
/// Why Redis cannot be used, as a sentence without the URL.
pub async fn inspect_redis(url: &str, config: &Config) -> Result<RedisFacts, String> {
    let client = redis_client(url, config)?;
    let facts = async {
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let mut connection = client.get_multiplexed_async_connection_with_config(&options).await?;
        let info: InfoDict = redis::cmd("INFO").query_async(&mut connection).await?;
        let started = Instant::now();
        let () = redis::cmd("PING").query_async::<String>(&mut connection).await.map(drop)?;
        let latency = started.elapsed();
        let (seconds, microseconds): (i64, u32) = redis::cmd("TIME").query_async(&mut connection).await?;
        let time = DateTime::<Utc>::from_timestamp(seconds, microseconds.saturating_mul(1000));
        let clock_skew = time.unwrap_or_default() - Clock::System.now();
        redis::RedisResult::Ok(RedisFacts {
            version: info.get("redis_version").unwrap_or_default(),
            latency,
            eviction_policy: info.get("maxmemory_policy").unwrap_or_default(),
            clock_skew,
        })
    };
    let facts = timeout(TIMEOUT, facts).await.map_err(|_| "it does not respond in time".to_owned())?;
    facts.map_err(|error| error.to_string())
}
