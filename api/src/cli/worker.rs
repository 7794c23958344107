//! `insula worker`: background work in a separate process. `insula serve` runs the same work by default.

use std::sync::Arc;

use insula_api::ops::Ops;
use insula_core::{
    base::crypto::MasterKey,
    identity::one_time_tokens::EmailTokens,
    lifecycle::maintenance::Retention,
    runtime::{
        cluster::{Cluster, Namespace},
        config::Config,
        job_wakeup::JobWakeup,
        rate_limit::RateLimiter,
        telemetry::{self, Heartbeat},
    },
    storage::{db::Db, signing_keys::Schedule},
};
use insula_worker::{KeyRotation, Mailer, Worker, redis_wakeup::RedisWakeup};
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CliError, background_tasks, database, migrate, ops_port, say,
    serve::{self, LOOK_EVERY, Stop},
};

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    config.refuse_insecure()?;
    let export = telemetry::start_export(config)?;
    let ops_listener = ops_port::listen(config, false).await?;
    let is_migrated = database::is_current(config).await?;
    let namespace = database::namespace(config).await?;
    let (cluster, link) = Cluster::new(config, &namespace)?;
    let db = database::connect(config, cluster, JobWakeup::default()).await?;
    database::check_login(config, &db).await?;
    database::warn_of_sharing(config).await;
    let master = serve::master_key(config)?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.bind));
    let limits = RateLimiter::new(config, db.redis_rate_limiter());
    let mailer = Mailer::open(config, EmailTokens::new(&master, config), &public_url, None, limits.clone())?;
    if !mailer.sends() {
        tracing::warn!("no e-mail is sent: set INSULA_SMTP_URL or INSULA_MAIL_FOLDER");
    }
    let heartbeat = Heartbeat::default();
    let worker = build(config, &db, master, mailer, heartbeat.clone());
    let worker = Worker { redis: redis_wakeup(config, &namespace)?, ..worker };

    let mut stop = Stop::listen()?;
    let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
    let ops = Ops { heartbeat, db: db.clone(), refusal: Arc::new(|| None) };
    ops_port::open(ops_listener, ops, &tasks, &background);
    if let Some(link) = link {
        tasks.spawn(background.clone().run_until_cancelled_owned(link.run()));
    }
    tasks.spawn(background_tasks::follow_clock(db.clone(), background.clone()));
    tasks.spawn(background_tasks::tidy(limits, background.clone()));
    tasks.spawn(work(config.clone(), worker, is_migrated, background.clone()));
    tasks.close();
    stop.requested().await;
    background.cancel();
    tasks.wait().await;
    db.close().await;
    export.finish().await;
    tracing::info!("stopped");
    Ok(())
}

/// Runs the worker when the schema is current.
async fn work(config: Config, worker: Worker, is_migrated: bool, stop: CancellationToken) {
    if !is_migrated {
        while !migrate::is_current(&config).await {
            if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
                return;
            }
        }
    }
    say("Insula worker started");
    worker.run(stop).await;
}

/// Builds a worker from the settings, without notifications from other processes.
pub(super) fn build(
    config: &Config,
    db: &Db,
    master: MasterKey,
    mailer: Mailer,
    heartbeat: Heartbeat,
) -> Worker {
    Worker {
        db: db.clone(),
        mailer,
        keys: KeyRotation { master, schedule: Schedule::of(config), every: config.key_reload() },
        retention: Retention::of(config),
        heartbeat,
        job_refs: None,
        redis: None,
        concurrency: config.worker_concurrency.clamp(1, 1000),
    }
}

/// Job wake-ups through the configured Redis. `None` when none is configured.
pub(super) fn redis_wakeup(config: &Config, namespace: &Namespace) -> Result<Option<RedisWakeup>, CliError> {
    let wakeup = config.redis_url.as_ref().map(|url| RedisWakeup::new(url.expose(), config, namespace));
    wakeup.transpose().map_err(|error| CliError::config(format!("REDIS_URL: {error}")))
}
