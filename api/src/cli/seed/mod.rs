//! `insula seed`: creates data to try things out. `demo` creates an organization with users of every role.

mod greeting;
mod load;
mod work;

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use insula_core::{
    base::{
        crypto::{Secret, random_word},
        error::ErrorCode,
        ids::UserId,
        permissions::{AuditOrigin, BuiltinRole, ProjectsCreate, RequestInfo},
        text::{Color, EmailAddress, Name, ProjectCode, Slug},
    },
    identity::{
        credentials::Passwords,
        sessions::{
            self, AccessTokens, DeviceCookies, LoginDevice, LoginSource, PasswordVerifier, SessionPolicy,
        },
        users::NewUser,
    },
    lifecycle::{accounts, maintenance},
    runtime::{cluster::Cluster, config::Config, job_wakeup::JobWakeup, rate_limit::LoginThrottle},
    storage::{audit::RequestTrail, db::Db, signing_keys::Schedule},
    tenancy::{
        authorization::{self, Caller},
        organizations::{NewOrganization, OrgRef},
    },
    work::projects::{self, NewProject},
};

pub(super) use greeting::greet;
use greeting::start_anew;

use super::{CliError, create_superuser, database, migrate, say, serve};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create the organization `demo` with users and projects (not in production); safe to repeat
    Demo,
    /// Create many organizations with many time entries of one user (not in production); each run adds more
    Load(load::Args),
}

const SLUG: &str = "demo";
const OPERATOR: &str = "root@demo.example";

/// Given name, family name, role.
const PEOPLE: [(&str, &str, BuiltinRole); 4] = [
    ("Olivia", "Owner", BuiltinRole::Owner),
    ("Adam", "Admin", BuiltinRole::Admin),
    ("Mia", "Member", BuiltinRole::Member),
    ("Victor", "Viewer", BuiltinRole::Viewer),
];

/// Code, name, colour.
const PROJECTS: [(&str, &str, &str); 6] = [
    ("WEB", "Website relaunch", "#1f6feb"),
    ("APP", "Mobile app", "#8250df"),
    ("OPS", "Operations", "#bf3989"),
    ("SUPPORT", "Customer support", "#1a7f37"),
    ("R-D", "Research and development", "#9a6700"),
    ("INTERNAL", "Internal", "#57606a"),
];

fn email(first_name: &str) -> String {
    format!("{}@demo.example", first_name.to_lowercase())
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), CliError> {
    if config.is_production() {
        return Err(CliError::config(
            "`seed` creates accounts with a shared password; it is refused in production",
        ));
    }
    migrate::up(config).await?;
    let db = database::connect(config, Cluster::default(), JobWakeup::default()).await?;
    serve::data_folder(config)?;
    let password = private_file(&password_file(config), || random_word(20))?;
    let passwords = Passwords::new()?;
    let master = serve::master_key(config)?;
    let tokens = AccessTokens::new(&db, &master, "seed", config.access_token_ttl);
    maintenance::advance_keys(&db, &master, &Schedule::of(config)).await?;
    tokens.reload().await?;
    create_superuser::ensure(&db, &passwords, OPERATOR, Secret::new(password.clone())).await?;
    let login_throttle = LoginThrottle::new(&master, config.limit_failed_logins, None);
    let devices = DeviceCookies::new(&master);
    let verifier = PasswordVerifier {
        db: &db,
        passwords: &passwords,
        login_throttle: &login_throttle,
        devices: &devices,
        hides_unverified: false,
    };
    let policy = SessionPolicy { absolute: Duration::from_secs(60), ..SessionPolicy::from(config) };
    let seed = Seed {
        db: &db,
        verifier,
        tokens: &tokens,
        policy,
        password: &password,
        personal: config.personal_organizations,
        again: &start_anew(config),
    };
    let outcome = match command {
        Command::Demo => demo(&seed).await,
        Command::Load(args) => load::run(&seed, args).await,
    };
    db.close().await;
    outcome
}

async fn demo(seed: &Seed<'_>) -> Result<(), CliError> {
    let mut people = Vec::new();
    for (first, last, role) in PEOPLE {
        people.push((seed.person(first, last).await?, role));
    }
    let made = seed.organization(&people).await?;
    say(match made {
        true => "the organization `demo` is ready",
        false => "the organization `demo` already exists; nothing was changed",
    });
    Ok(())
}

struct Seed<'a> {
    db: &'a Db,
    verifier: PasswordVerifier<'a>,
    tokens: &'a AccessTokens,
    policy: SessionPolicy,
    password: &'a str,
    /// Whether users get a personal organization.
    personal: bool,
    /// The instruction to empty the database.
    again: &'a str,
}

impl Seed<'_> {
    /// The user; registers them if the account does not exist.
    async fn person(&self, first: &str, last: &str) -> Result<UserId, CliError> {
        let address = email(first);
        let hash = self.verifier.passwords.hash(Secret::new(self.password.to_owned())).await?;
        let mut tx = self.db.begin_global(AuditOrigin::SYSTEM).await?;
        let name = |name| Name::parse(name).ok();
        let email = EmailAddress::parse(&address).map_err(|error| CliError::failed(error.message))?;
        let new = NewUser { email, username: None, first_name: name(first), last_name: name(last) };
        match accounts::register(&mut tx, new, hash, self.personal, None).await {
            Ok(user) => {
                tx.commit().await?;
                Ok(user.id)
            }
            Err(error) if error.code() == ErrorCode::EmailTaken => {
                drop(tx);
                let password = Secret::new(self.password.to_owned());
                let nowhere = LoginSource { address: None, device: None };
                let proof = self.verifier.log_in(&address, password, nowhere, &RequestTrail::default()).await;
                let again = self.again;
                proof.map(|proof| proof.user).map_err(|_| {
                    CliError::failed(format!(
                        "{address} already exists with another password; to start over, {again}"
                    ))
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the organization with its members and their work. Returns `false` if it exists already.
    async fn organization(&self, people: &[(UserId, BuiltinRole)]) -> Result<bool, CliError> {
        let (Ok(name), Ok(slug)) = (Name::parse("Demo"), Slug::parse(SLUG)) else {
            return Err(CliError::failed("the name of the demo organization is invalid"));
        };
        let (owner, others) = people.split_first().ok_or(CliError::failed("the demo has no users"))?;
        let tx = self.db.begin_global(AuditOrigin::SYSTEM).await?;
        let org = match accounts::create_organization(&tx, owner.0, NewOrganization { name, slug }).await {
            Ok(organization) => organization.id,
            Err(error) if error.code() == ErrorCode::SlugTaken => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        for (user, role) in others {
            accounts::join(&tx, org, *user, *role).await?;
        }
        tx.commit().await?;
        let caller = self.caller(owner.0).await?;
        for (code, name, color) in PROJECTS {
            self.project(&caller, code, name, color).await?;
        }
        let mut workers = vec![caller];
        for (user, _) in others.iter().filter(|(_, role)| *role != BuiltinRole::Viewer) {
            workers.push(self.caller(*user).await?);
        }
        work::add(self, &workers).await?;
        Ok(true)
    }

    /// Logs a user in as the API would, so that the same rules apply to the demo data.
    async fn caller(&self, user: UserId) -> Result<Caller, CliError> {
        let mut tx = self.db.begin_global(AuditOrigin::SYSTEM).await?;
        let (session, _) = sessions::create(&mut tx, user, LoginDevice::default(), &self.policy).await?;
        let now = tx.now();
        tx.commit().await?;
        let token = self.tokens.issue(user, (session.id, session.refresh_counter), now)?.token;
        let claims = self.tokens.verify(&token, now).await?;
        Ok(Caller {
            claims,
            label: None,
            inquiry: RequestInfo::NONE,
            operation: "seed",
            needs_verified: false,
            step_up: self.policy.step_up,
            platform_access: None,
            trail: RequestTrail::default(),
        })
    }

    async fn project(&self, caller: &Caller, code: &str, name: &str, color: &str) -> Result<(), CliError> {
        let proof = authorization::authorize::<ProjectsCreate>(self.db, caller, &OrgRef::parse(SLUG)).await?;
        let (Ok(code), Ok(name)) = (ProjectCode::parse(code), Name::parse(name)) else {
            return Err(CliError::failed("a project of the demo is invalid"));
        };
        let tx = self.db.begin(proof).await?;
        let color = Color::parse(color).ok();
        let new = NewProject { code, name, color, is_private: false, estimate_seconds: None };
        projects::create(&tx, new).await?;
        Ok(tx.commit().await?)
    }
}

fn password_file(config: &Config) -> PathBuf {
    config.data_dir.join("demo.txt")
}

/// Reads the first line of a file that only its owner can read. Creates a missing file with `content`. If several
/// processes create it at once, one wins and all read its line, because the file is complete before it gets its name.
pub(super) fn private_file(path: &Path, content: impl FnOnce() -> String) -> Result<String, CliError> {
    let file_error = |error: std::io::Error| CliError::unavailable(format!("{}: {error}", path.display()));
    if !path.try_exists().map_err(file_error)? {
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .map_err(file_error)?;
        writeln!(file, "{}", content()).and_then(|()| file.sync_all()).map_err(file_error)?;
        let named = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(file_error)?;
        named
            .or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
            .map_err(file_error)?;
    }
    let text = fs::read_to_string(path).map_err(file_error)?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| CliError::failed(format!("{} is empty; delete it", path.display())))
}
