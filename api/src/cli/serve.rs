//! `insula serve`: the API, with the background worker inside.

use std::{
    fs::DirBuilder,
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use insula_api::{
    cookies::Cookies,
    origins::Origins,
    serve::{Limits, Readiness, serve},
    state::State,
};
use insula_core::{
    cluster::Cluster,
    config::{Config, OriginList},
    credentials::Passwords,
    db::{Db, Options},
    maintenance,
    members::Callers,
    one_time_tokens::Mail,
    page::Cursors,
    secret::{MacKey, MasterKey, Purpose},
    sessions::{CsrfTokens, Policy, RefreshTokens, Tokens},
    signing_keys::Schedule,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Fault, create_superuser, migrate, say, seed};

/// How often a server that may not migrate looks whether somebody else did.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often the database is told which sessions were used.
const WRITE_DOWN_EVERY: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Listen on this address and port (`INSULA_BIND`)
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
    /// Listen on this port of the configured address; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
}

impl Args {
    /// What the flags set.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        self.bind.map(|bind| ("INSULA_BIND", bind.to_string())).into_iter().collect()
    }
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), Fault> {
    config.refuse_insecure()?;
    let mut bind = config.bind;
    bind.set_port(args.port.unwrap_or(bind.port()));
    // First: a port that is taken is no reason to migrate anything.
    let listener = listen(bind).await?;
    let address = listener.local_addr()?;
    let is_migrated = is_current(config).await?;
    let (cluster, link) = Cluster::new(config)?;
    let db = connect(config, cluster).await?;
    check_login(config, &db).await?;
    let passwords = Passwords::new()?;
    let master = master_key(config)?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let state = Arc::new(state(config, &db, &master, passwords, &public_url));
    if is_migrated {
        prepare(config, &state, &master).await?;
    }
    let app = insula_api::build(Arc::clone(&state), limits(config), &public_url).map_err(Fault::failed)?;

    // Not before: until then a signal simply ends the process.
    let mut stop = Stop::listen()?;
    let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(work_when_migrated(config.clone(), Arc::clone(&state), master, background.clone()));
    tasks.spawn(follow_keys(config.key_reload(), Arc::clone(&state), background.clone()));
    tasks.spawn(write_down_seen(Arc::clone(&state), background.clone()));
    if let Some(link) = link {
        tasks.spawn(background.clone().run_until_cancelled_owned(link.run()));
    }
    tasks.close();
    say(format_args!("Insula listens on http://{address}"));
    seed::greet(config, &address.to_string());
    let cut = serve(listener, app, limits(config), state.readiness.clone(), stop.requested()).await?;
    if cut > 0 {
        tracing::warn!(cut, "connections had to be cut");
    }
    background.cancel();
    tasks.wait().await;
    db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Everything every request shares. A token's issuer is where people reach the installation, when it says so.
fn state(config: &Config, db: &Db, master: &MasterKey, passwords: Passwords, public_url: &str) -> State {
    let issuer = config.public_url.as_deref().unwrap_or("insula");
    let trusted = config.trusted_origins.as_ref().map_or(&[][..], |OriginList(origins)| origins);
    tracing::debug!(public_url, issuer, "reached at");
    State {
        db: db.clone(),
        callers: Callers::new(db.clone(), config.session_cache_ttl),
        tokens: Tokens::new(db, master, issuer, config.access_token_ttl),
        refresh: RefreshTokens::new(master),
        csrf: CsrfTokens::new(master),
        cookies: Cookies::new(public_url, config.cookie_domain.as_deref(), config.session_idle_ttl),
        origins: Origins::new(public_url, trusted),
        passwords,
        cursors: Cursors::new(master),
        bodies: MacKey::derive(master, Purpose::Body),
        mail: Mail::new(master, config),
        policy: Policy::from(config),
        personal_organizations: config.personal_organizations,
        readiness: Readiness::default(),
        migrated: AtomicBool::new(false),
        environment: config.environment.as_str(),
    }
}

/// Is the schema current? Migrates first, where the configuration says so.
async fn is_current(config: &Config) -> Result<bool, Fault> {
    if !config.migrates_on_start() {
        return Ok(!insula_migrations::pending(&config.migration_url()).await?);
    }
    for name in migrate::up(config).await? {
        tracing::info!(name, "applied a migration");
    }
    Ok(true)
}

/// What can be done only when the schema is current, and must be before the first request.
async fn prepare(config: &Config, state: &State, master: &MasterKey) -> Result<(), Fault> {
    if let (Some(email), Some(password)) = (&config.first_superuser_email, &config.first_superuser_password) {
        create_superuser::ensure(&state.db, &state.passwords, email, password.clone()).await?;
    }
    maintenance::advance_keys(&state.db, master, &Schedule::of(config)).await?;
    state.tokens.reload().await?;
    state.migrated.store(true, Relaxed);
    Ok(())
}

/// The worker starts when the schema is current, which on a server that may not migrate is somebody else's doing.
async fn work_when_migrated(config: Config, state: Arc<State>, master: MasterKey, stop: CancellationToken) {
    while !state.is_migrated() {
        if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
        match insula_migrations::pending(&config.migration_url()).await {
            Ok(true) => tracing::warn!("migrations are pending: run `insula migrate up`"),
            Ok(false) => match prepare(&config, &state, &master).await {
                Ok(()) => tracing::info!("the schema is current"),
                Err(fault) => tracing::error!(%fault, "cannot prepare for requests"),
            },
            Err(error) => tracing::warn!(%error, "cannot see whether migrations are pending"),
        }
    }
    let keys = insula_worker::Keys { master, schedule: Schedule::of(&config), every: config.key_reload() };
    insula_worker::run(state.db.clone(), keys, stop).await;
}

/// Learns of keys that were added, changed their turn or were removed, by whichever process.
async fn follow_keys(every: Duration, state: Arc<State>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(every)).await.is_some() {
        if state.is_migrated()
            && let Err(error) = state.tokens.reload().await
        {
            tracing::warn!(%error, "cannot look for changed keys");
        }
    }
}

/// Now and then, and at the end.
async fn write_down_seen(state: Arc<State>, stop: CancellationToken) {
    let mut is_over = false;
    while !is_over {
        is_over = stop.run_until_cancelled(sleep(WRITE_DOWN_EVERY)).await.is_none();
        if let Err(error) = state.callers.write_down_seen().await {
            tracing::warn!(%error, "could not write down which sessions were used");
        }
    }
}

/// Opens the database of the configuration; makes the data folder when it is needed. `cluster`: who is told of changes.
pub(super) async fn connect(config: &Config, cluster: Cluster) -> Result<Db, Fault> {
    let url = config.database_url();
    if config.database_url.is_none() {
        data_folder(config)?;
    }
    let (pool_size, acquire_timeout) = (config.database_pool_size, config.database_acquire_timeout);
    Ok(Db::connect(&url, &Options { pool_size, acquire_timeout, cluster, ..Options::default() }).await?)
}

/// The configured key; without one, in development, a key made once and kept in the data folder.
pub(super) fn master_key(config: &Config) -> Result<MasterKey, Fault> {
    let key = match &config.secret_key {
        Some(key) => key.expose().clone(),
        None => seed::private_file(&data_folder(config)?.join("secret.key"), || seed::random_word(32))?,
    };
    Ok(MasterKey::new(key).after(config.secret_key_previous.clone()))
}

/// The data folder; made when it is missing, for its owner alone: it holds password hashes and keys.
pub(super) fn data_folder(config: &Config) -> Result<&Path, Fault> {
    let folder = config.data_dir.as_path();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|fault| Fault::unavailable(format!("the data folder {}: {fault}", folder.display())))?;
    Ok(folder)
}

/// A login that owns tables could switch the walls off.
async fn check_login(config: &Config, db: &Db) -> Result<(), Fault> {
    let Some(fault) = db.login_fault().await? else { return Ok(()) };
    let text = format!(
        "DATABASE_URL: the login `{0}` {1}; give the application one that only wears the hats:\n\
         CREATE ROLE insula_login LOGIN NOINHERIT PASSWORD '…'; GRANT insula_app, insula_system TO insula_login;\n\
         and name `{0}` in INSULA_MIGRATION_DATABASE_URL",
        fault.login,
        fault.powers.join(" and ")
    );
    match config.requires_separate_database_login() {
        true => Err(Fault::config(text)),
        false => {
            tracing::debug!(login = fault.login, powers = ?fault.powers, "the database login is more powerful than production allows");
            Ok(())
        }
    }
}

async fn listen(bind: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(bind).await.map_err(|fault| match fault.kind() {
        io::ErrorKind::AddrInUse => Fault::unavailable(format!(
            "port {0} of {1} is taken: stop what listens there, or choose another with `--port {2}` (`--port 0` takes a free one)",
            bind.port(),
            bind.ip(),
            bind.port().wrapping_add(1)
        )),
        _ => Fault::unavailable(format!("cannot listen on {bind}: {fault}")),
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections: config.max_connections,
        connections_per_peer: config.max_connections_per_peer,
        drain_delay: config.drain_delay(),
        drain_time: config.drain_timeout,
        ..Limits::default()
    }
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
    }
}
