//! Jobs and mails that a test puts into the database itself: those that no door makes in the state it wants.

use uuid::Uuid;

use crate::Vault;

/// A kind of job that no worker knows, so that none takes it.
pub const UNKNOWN_KIND: &str = "send_pigeon";

/// A job to plant: that of a kind which no worker takes, unless told otherwise.
#[derive(Clone, Debug)]
pub struct Planted {
    /// Makes its id, and that of its mail; each once in a test.
    pub number: u32,
    /// `pending`, `done`, `dead` or `cancelled`.
    pub state: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// What it is about, as JSON.
    pub payload: &'static str,
    /// The organization; `None`: the platform.
    pub organization: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Is it to be done in the year 2100 only?
    pub is_waiting: bool,
    /// Does a worker have it until the year 2100?
    pub is_leased: bool,
}

impl Planted {
    /// The one with this number, which stands there.
    pub fn new(number: u32, state: &'static str) -> Self {
        Self {
            number,
            state,
            kind: UNKNOWN_KIND,
            payload: "{}",
            organization: None,
            attempts: 3,
            is_waiting: false,
            is_leased: false,
        }
    }

    /// Its id.
    pub fn id(&self) -> String {
        Uuid::from_u128(0x0190_b3a0_7c1e_7d2a_9f01_0000_0000_0000 + u128::from(self.number)).to_string()
    }

    /// When it was made, as the program writes instants: one microsecond for every two, so that some were made together.
    fn created_at(&self) -> String {
        format!("2026-01-01T00:00:00.{:06}+00:00", self.number / 2 + 1)
    }
}

/// The organization that inserted jobs belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// For the platform.
    Platform,
    /// For the personal organization of the first registered user.
    Personal,
}

impl Vault {
    /// Jobs that send the welcome e-mail to a user, due immediately, like the one from registration.
    pub async fn heap(&self, user: &str, number: usize, whose: Whose) {
        let (id, numbers) = self.numbers(number);
        let owner = match whose {
            Whose::Personal => "(SELECT id FROM organizations WHERE kind = 'personal' LIMIT 1)",
            Whose::Platform => "o.organization_id",
        };
        let payload = serde_json::json!({ "user": user });
        let insert = format!(
            "INSERT INTO outbox (id, organization_id, queue, kind, payload, actor, state, attempts, lease_expirations, run_at, created_at, updated_at)
             {numbers}
             SELECT {id}, {owner}, o.queue, 'send_welcome', '{payload}', o.actor, 'pending', 0, 0, o.created_at, o.created_at, o.created_at
             FROM numbers, (SELECT * FROM outbox WHERE kind = 'send_verification' LIMIT 1) o"
        );
        assert_eq!(self.execute(&insert).await, number as u64);
    }

    /// People like the one with this address, without passwords: `<name>1@example.com` and so on.
    pub async fn populate(&self, like: &str, name: &str, number: usize) {
        let (id, numbers) = self.numbers(number);
        let insert = format!(
            "INSERT INTO users (id, email, email_canonical, is_active, is_superuser, email_verified_at, locale, timezone, week_start, version, created_at, updated_at)
             {numbers}
             SELECT {id}, '{name}' || n || '@example.com', '{name}' || n || '@example.com', u.is_active, u.is_superuser, u.created_at, u.locale, u.timezone, u.week_start, 1, u.created_at, u.created_at
             FROM numbers, (SELECT * FROM users WHERE email = '{like}') u"
        );
        assert_eq!(self.execute(&insert).await, number as u64);
    }

    /// SQL for a new id, and for a table `numbers` with a column `n` from 1 on.
    pub(crate) fn numbers(&self, number: usize) -> (&'static str, String) {
        match self {
            Self::Sqlite(_) => (
                "randomblob(16)",
                format!(
                    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number})"
                ),
            ),
            Self::Postgres(_) => {
                ("gen_random_uuid()", format!("WITH numbers AS (SELECT generate_series(1, {number}) AS n)"))
            }
        }
    }

    /// SQL for an id, as this database keeps it.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("X'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    fn owner(&self, job: &Planted) -> String {
        self.id(job.organization.as_deref().unwrap_or("00000000-0000-0000-0000-000000000000"))
    }

    /// Puts a job into the outbox.
    pub async fn plant(&self, job: &Planted) {
        const LATER: &str = "'2100-01-01T00:00:00+00:00'";
        let (lease_by, lease_until) = if job.is_leased { ("'somebody'", LATER) } else { ("NULL", "NULL") };
        let (id, owner, created_at) =
            (self.id(&job.id()), self.owner(job), format!("'{}'", job.created_at()));
        let run_at = if job.is_waiting { LATER } else { &created_at };
        let Planted { kind, payload, state, attempts, .. } = job;
        let sql = format!(
            "INSERT INTO outbox (id, organization_id, queue, kind, payload, actor, state, attempts, lease_expirations, run_at,
             lease_by, lease_until, last_error, created_at, updated_at)
             VALUES ({id}, {owner}, 'mail', '{kind}', '{payload}', '{{\"kind\":\"system\",\"id\":null}}', '{state}',
             {attempts}, 1, {run_at}, {lease_by}, {lease_until}, 'no wind', {created_at}, {created_at})"
        );
        assert_eq!(self.execute(&sql).await, 1);
    }

    /// Puts what became of its mail beside it.
    pub async fn plant_email(&self, job: &Planted, to: &str, status: &str) {
        let (id, owner, created_at) = (self.id(&job.id()), self.owner(job), job.created_at());
        let (message_id, attempts) = (format!("<{}@localhost>", job.id()), job.attempts);
        let sql = format!(
            "INSERT INTO emails (id, organization_id, \"to\", template, status, message_id, attempts, last_error,
             created_at, updated_at)
             VALUES ({id}, {owner}, '{to}', 'pigeon', '{status}', '{message_id}', {attempts}, '550 no such nest',
             '{created_at}', '{created_at}')"
        );
        assert_eq!(self.execute(&sql).await, 1);
    }
}
