//! Checks of what an installation uses beside its database: Redis, the mail server, its own public URL.

use std::time::Duration;

use insula_api::VERSION;
use insula_core::{
    base::crypto::MasterKey,
    identity::one_time_tokens::EmailTokens,
    runtime::{
        cluster::{RedisFacts, inspect_redis},
        config::Config,
        rate_limit::RateLimiter,
    },
};
use insula_worker::Mailer;
use serde_json::Value;

use super::report::CheckResult;
use crate::cli::http_get;

/// Seconds from which on a difference of clocks is a problem.
const MAX_SKEW: i64 = 5;

pub(super) async fn check(config: &Config) -> Vec<CheckResult> {
    let mut checks = redis(config).await;
    checks.push(mail(config).await);
    checks.push(public_url(config).await);
    checks
}

async fn redis(config: &Config) -> Vec<CheckResult> {
    const NAME: &str = "redis";
    let Some(url) = &config.redis_url else {
        return vec![CheckResult::skipped(NAME, "REDIS_URL is not set, which is fine for one server")];
    };
    let facts = match inspect_redis(url.expose(), config).await {
        Ok(facts) => facts,
        Err(error) => {
            let fix =
                "Start Redis, or correct REDIS_URL. Until then, each server counts rate limits by itself.";
            return vec![CheckResult::failed(NAME, error, fix)];
        }
    };
    let RedisFacts { version, latency, eviction_policy, clock_skew } = facts;
    let detail = format!("Redis {version}, {:.1} ms, {eviction_policy}", latency.as_secs_f64() * 1e3);
    let reply = match () {
        // Keys without expiry do not exist, but a random one could be the count of a rate limit.
        () if eviction_policy.starts_with("allkeys") => CheckResult::warning(
            NAME,
            detail,
            "Set maxmemory-policy to noeviction: Redis may remove the counters of rate limits when its memory is full.",
        ),
        () if latency > config.redis_timeout => CheckResult::warning(
            NAME,
            detail,
            "Redis answers later than INSULA_REDIS_TIMEOUT: move it closer to the servers, or raise the setting.",
        ),
        () => CheckResult::ok(NAME, detail),
    };
    let skew = clock_skew.num_seconds().abs();
    let clock = match skew >= MAX_SKEW {
        true => CheckResult::warning(
            "redis clock",
            format!("differs by {skew} s from the clock of this machine"),
            "Run NTP on both machines.",
        ),
        false => CheckResult::ok("redis clock", "agrees with this machine"),
    };
    vec![reply, clock]
}

async fn mail(config: &Config) -> CheckResult {
    const NAME: &str = "mail";
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.bind));
    // Nothing is signed, so any key works.
    let tokens = EmailTokens::new(&MasterKey::new(String::new()), config);
    let limits = RateLimiter::new(config, None);
    let mailer = match Mailer::open(config, tokens, &public_url, None, limits) {
        Ok(mailer) => mailer,
        Err(error) => return CheckResult::failed(NAME, error.to_string(), "Correct this setting."),
    };
    match mailer.check().await {
        Ok(found) => CheckResult::ok(NAME, found),
        Err(error) if error.is_not_configured => CheckResult::skipped(NAME, error.what),
        Err(error) => {
            let mut fix = error.hint.to_owned();
            if let Some(first) = fix.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            CheckResult::failed(NAME, error.what, fix + ".")
        }
    }
}

async fn public_url(config: &Config) -> CheckResult {
    const NAME: &str = "public URL";
    let Some(url) = &config.public_url else {
        return CheckResult::skipped(NAME, "INSULA_PUBLIC_URL is not set");
    };
    let fix = "Start a server, and check INSULA_PUBLIC_URL, DNS, the proxy and its certificate. Some networks do not allow requests from inside to the public URL.";
    let reply = match http_get::get(&format!("{}/version", url.trim_end_matches('/')), config).await {
        Ok(reply) => reply,
        Err(error) => return CheckResult::warning(NAME, error, fix),
    };
    let version = serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
    match version["name"] == "insula" && version["version"] == VERSION {
        true => CheckResult::ok(NAME, format!("{url} answers, {} ms", Duration::as_millis(&reply.duration))),
        false => CheckResult::warning(
            NAME,
            format!("{url}/version answers {} and is not this version ({VERSION})", reply.status),
            "Check that the proxy leads to these servers, and that all of them have the same version.",
        ),
    }
}
