//! `insula serve`: the API server, including the background worker.

use std::{
    fs::DirBuilder,
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use insula_api::{
    browser::{branding::Branding, cookies::Cookies, origins::Origins},
    middleware::headers::Headers,
    ops::Ops,
    server::{Limits, Readiness, serve},
    state::AppState,
};
use insula_core::{
    base::{
        crypto::{KeyPurpose, MacKey, MasterKey, random_word},
        pagination::CursorCodec,
    },
    identity::{
        credentials::Passwords,
        one_time_tokens::EmailTokens,
        sessions::{AccessTokens, CsrfTokens, DeviceCookies, RefreshTokens, SessionPolicy},
    },
    lifecycle::maintenance,
    runtime::{
        cluster::Cluster,
        config::{Config, OriginList},
        job_wakeup::JobWakeup,
        rate_limit::{LoginThrottle, RateLimiter},
        telemetry::{self, Heartbeat},
    },
    storage::{audit::RefusalLog, audit_chain::Signer, db::Db, emails::DevInbox, signing_keys::Schedule},
    tenancy::authorization::AccessCache,
};
use insula_worker::{Mailer, Worker, mail_languages};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CliError, background_tasks, create_superuser, database, migrate, open_files, ops_port, say, seed,
    server_gauges, worker,
};

/// Maximum number of connections that wait to be accepted. The system limits it to `net.core.somaxconn`. Of a
/// larger burst some connections are reset.
const BACKLOG: u32 = 4096;

/// Interval in which a server that does not migrate checks whether another process did.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(super) struct Args {
    /// IP address and port to listen on (`INSULA_BIND`)
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
    /// Port to listen on, at the configured IP address; 0 picks a free port
    #[arg(long)]
    port: Option<u16>,
    /// Do not run background work; run `insula worker` for it
    #[arg(long)]
    no_worker: bool,
}

impl Args {
    /// The settings that the flags override.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        self.bind.map(|bind| ("INSULA_BIND", bind.to_string())).into_iter().collect()
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), CliError> {
    config.refuse_insecure()?;
    let export = telemetry::start_export(config)?;
    let mut bind = config.bind;
    bind.set_port(args.port.unwrap_or(bind.port()));
    // First: nothing is migrated if the port is in use.
    let listener = listen(bind)?;
    let address = listener.local_addr()?;
    let ops_listener = ops_port::listen(config, args.port == Some(0)).await?;
    let is_migrated = database::is_current(config).await?;
    let namespace = database::namespace(config).await?;
    let (cluster, link) = Cluster::new(config, &namespace)?;
    let (wakeup, job_refs) = JobWakeup::new();
    let db = database::connect(config, cluster, wakeup).await?;
    database::check_login(config, &db).await?;
    database::warn_of_sharing(config).await;
    let passwords = Passwords::new()?;
    let master = master_key(config)?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let state = Arc::new(state(config, &db, &master, passwords, &public_url));
    server_gauges::observe(&state, config.key_rotation);
    if is_migrated {
        prepare(config, &state, &master).await?;
    }
    let limits = limits(config, open_files::connections(config.max_connections));
    let headers = Headers::new(&public_url, config.csp_mode);
    let app = insula_api::app::build(Arc::clone(&state), limits, headers).map_err(CliError::failed)?;

    // Not earlier: until then a signal simply ends the process.
    let mut stop = Stop::listen()?;
    let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
    let heartbeat = Heartbeat::default();
    let work: Pin<Box<dyn Future<Output = ()> + Send>> =
        match (args.no_worker, worker::redis_wakeup(config, &namespace)?) {
            (false, redis) => {
                let (mail, memory, limits) =
                    (state.mail.clone(), state.dev_mail.clone(), state.limits.clone());
                let mailer = Mailer::open(config, mail, &public_url, memory, limits)?;
                let worker = worker::build(config, &db, master.clone(), mailer, heartbeat.clone());
                let worker = Worker { job_refs: Some(job_refs), redis, ..worker };
                Box::pin(worker.run(background.clone()))
            }
            (true, Some(redis)) => {
                let stop = background.clone();
                Box::pin(
                    async move { stop.run_until_cancelled(redis.send(job_refs)).await.unwrap_or_default() },
                )
            }
            // No Redis and no worker: other processes poll for the jobs.
            (true, None) => Box::pin(async { drop(job_refs) }),
        };
    let ready = when_migrated(config.clone(), Arc::clone(&state), master, background.clone());
    tasks.spawn(async move {
        if ready.await {
            work.await;
        }
    });
    tasks.spawn(background_tasks::follow_keys(config.key_reload(), Arc::clone(&state), background.clone()));
    tasks.spawn(background_tasks::follow_clock(db.clone(), background.clone()));
    tasks.spawn(background_tasks::record_last_seen(Arc::clone(&state), background.clone()));
    tasks.spawn(background_tasks::record_refusals(Arc::clone(&state), background.clone()));
    tasks.spawn(background_tasks::tidy(state.limits.clone(), background.clone()));
    if let Some(link) = link {
        tasks.spawn(background.clone().run_until_cancelled_owned(link.run()));
    }
    say(format_args!("Insula listens on http://{address}"));
    let asked = Arc::clone(&state);
    let ops = Ops { heartbeat, db: db.clone(), refusal: Arc::new(move || asked.refusal()) };
    ops_port::open(ops_listener, ops, &tasks, &background);
    tasks.close();
    seed::greet(config, &address.to_string());
    let cut = serve(listener, app, limits, state.readiness.clone(), stop.requested()).await?;
    if cut > 0 {
        tracing::warn!(cut, "connections were closed before their requests had finished");
    }
    background.cancel();
    tasks.wait().await;
    state.db.close().await;
    export.finish().await;
    tracing::info!("stopped");
    Ok(())
}

/// The state that all requests share. The issuer of tokens is the public URL, if one is configured.
pub(super) fn state(
    config: &Config,
    db: &Db,
    master: &MasterKey,
    passwords: Passwords,
    public_url: &str,
) -> AppState {
    let issuer = config.public_url.as_deref().unwrap_or("insula");
    let trusted = config.trusted_origins.as_ref().map_or(&[][..], |OriginList(origins)| origins);
    tracing::debug!(public_url, issuer, "public URL");
    AppState {
        db: db.clone(),
        callers: AccessCache::new(db.clone(), config.session_cache_ttl),
        refusals: RefusalLog::new(db.clone()),
        tokens: AccessTokens::new(db, master, issuer, config.access_token_ttl),
        refresh: RefreshTokens::new(master),
        csrf: CsrfTokens::new(master),
        devices: DeviceCookies::new(master),
        cookies: Cookies::new(public_url, config.cookie_domain.as_deref(), config.session_idle_ttl),
        origins: Origins::new(public_url, trusted),
        passwords,
        cursors: CursorCodec::new(master),
        signer: Signer::new(master.clone()),
        bodies: MacKey::derive(master, KeyPurpose::Body),
        mail: EmailTokens::new(master, config),
        dev_mail: DevInbox::of(config),
        limits: RateLimiter::new(config, db.redis_rate_limiter()),
        login_throttle: LoginThrottle::new(master, config.limit_failed_logins, db.redis_rate_limiter()),
        trusted_proxies: config.trusted_proxies.clone(),
        policy: SessionPolicy::from(config),
        new_account_age: config.new_account_age,
        max_organizations: config.max_organizations,
        personal_organizations: config.personal_organizations,
        readiness: Readiness::default(),
        migrated: AtomicBool::new(false),
        console: config.console,
        environment: config.environment.as_str(),
        branding: Arc::new(Branding::of(config)),
        shows_unknown_paths: config.shows_unknown_paths(),
        locales: mail_languages(config.mail_templates.as_deref()),
    }
}

/// Prepares the server after the schema is current and before the first request.
async fn prepare(config: &Config, state: &AppState, master: &MasterKey) -> Result<(), CliError> {
    if let (Some(email), Some(password)) = (&config.first_superuser_email, &config.first_superuser_password) {
        create_superuser::ensure(&state.db, &state.passwords, email, password.clone()).await?;
    }
    maintenance::advance_keys(&state.db, master, &Schedule::of(config)).await?;
    state.tokens.reload().await?;
    state.migrated.store(true, Relaxed);
    Ok(())
}

/// Waits until the schema is current. If the server does not migrate, another process does. Returns `false`
/// if `stop` came first.
async fn when_migrated(
    config: Config,
    state: Arc<AppState>,
    master: MasterKey,
    stop: CancellationToken,
) -> bool {
    while !state.is_migrated() {
        if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
            return false;
        }
        if migrate::is_current(&config).await {
            match prepare(&config, &state, &master).await {
                Ok(()) => tracing::info!("the schema is up to date"),
                Err(error) => tracing::error!(%error, "cannot prepare the server for requests"),
            }
        }
    }
    true
}

/// The configured master key. Without one, in development, a key that is created once and kept in the data
/// folder.
pub(super) fn master_key(config: &Config) -> Result<MasterKey, CliError> {
    let key = match &config.secret_key {
        Some(key) => key.expose().clone(),
        None => seed::private_file(&data_folder(config)?.join("secret.key"), || random_word(52))?,
    };
    Ok(MasterKey::new(key).with_previous(config.secret_key_previous.clone()))
}

/// The data folder. If it is missing, it is created with access for its owner only, because it contains
/// password hashes and keys.
pub(super) fn data_folder(config: &Config) -> Result<&Path, CliError> {
    let folder = config.data_dir.as_path();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| CliError::unavailable(format!("the data folder {}: {error}", folder.display())))?;
    Ok(folder)
}

fn listen(bind: SocketAddr) -> Result<TcpListener, CliError> {
    let listen = || {
        let socket = if bind.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of a previous process may still be closing.
        socket.set_reuseaddr(true)?;
        socket.bind(bind)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => CliError::unavailable(format!(
            "port {0} of {1} is in use: stop the process that uses it, or choose another port with `--port {2}` (`--port 0` picks a free port)",
            bind.port(),
            bind.ip(),
            bind.port().wrapping_add(1)
        )),
        _ => CliError::unavailable(format!("cannot listen on {bind}: {error}")),
    })
}

fn limits(config: &Config, connections: usize) -> Limits {
    Limits {
        requests: config.max_requests,
        connections,
        connections_per_peer: config.max_connections_per_peer,
        drain_delay: config.drain_delay(),
        drain_time: config.drain_timeout,
        ..Limits::default()
    }
}

/// The signals that stop the process: SIGTERM and SIGINT.
pub(super) struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// Listens for the signals. From now on SIGXFSZ does not end the process either: a write over the file
    /// size limit (`ulimit -f`) fails like a write to a full disk.
    pub(super) fn listen() -> io::Result<Self> {
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
    }
}
