//! What wrk sends, in Lua.

use serde_json::Value;

/// Organizations of the writes that do not share one: `bench-1` and so on.
pub(super) const MANY: usize = 50;

/// Where a row is created.
#[derive(Clone, Copy)]
pub(super) enum Organizations {
    /// All in one organization.
    One,
    /// In [`MANY`], in turns.
    Many,
}

impl Organizations {
    /// The number of the organization of request `n`, in Lua. Lists are read in `bench-0`, which therefore stays as it is.
    fn number(self) -> String {
        match self {
            Self::One => (MANY + 1).to_string(),
            Self::Many => format!("(n % {MANY} + 1)"),
        }
    }
}

/// The bodies of rows that are created; `%d` is a number that no other request has.
pub(super) struct Bodies {
    pub(super) project: &'static str,
    pub(super) task: &'static str,
    pub(super) task_in_project: String,
    pub(super) entry: &'static str,
}

impl Bodies {
    /// `project`: the id of a project in the one organization.
    pub(super) fn new(project: &Value) -> Self {
        Self {
            project: r#"{"code":"C%d","name":"Project"}"#,
            task: r#"{"title":"Task %d"}"#,
            task_in_project: format!(r#"{{"title":"Task %d","project_id":{project}}}"#),
            entry: r#"{"activity":"Work %d","started_at":"2026-03-01T08:00:00Z","ended_at":"2026-03-01T09:00:00Z"}"#,
        }
    }
}

/// A script for Insula, and one for the floor.
pub(super) struct Scripts<'a> {
    /// The access token.
    pub(super) token: &'a str,
}

impl Scripts<'_> {
    fn headers(&self) -> String {
        format!(
            "wrk.headers['authorization'] = 'Bearer {}'\nwrk.headers['content-type'] = 'application/json'\n",
            self.token
        )
    }

    /// GET a path.
    pub(super) fn get(&self, path: &str) -> String {
        format!("{}wrk.path = '{path}'\n", self.headers())
    }

    /// POST the same body again and again.
    pub(super) fn post(&self, path: &str, body: &str) -> String {
        format!("{}wrk.method = 'POST'\nwrk.path = '{path}'\nwrk.body = '{body}'\n", self.headers())
    }

    /// Creates rows of a list. `more`: Lua before each request.
    pub(super) fn create(&self, list: &str, body: &str, organizations: Organizations, more: &str) -> String {
        let path = format!("'/api/v1/organizations/bench-' .. {} .. '/{list}'", organizations.number());
        self.each(&format!("{more}return {}\n", Self::numbered(&path, body)))
    }

    /// The same for the floor.
    pub(super) fn create_on_floor(&self, list: &str, body: &str, organizations: Organizations) -> String {
        let path = format!("'/{list}?bench-' .. {}", organizations.number());
        self.each(&format!("return {}\n", Self::numbered(&path, body)))
    }

    /// Four lists, then a new task.
    pub(super) fn mixed(&self, task: &str) -> String {
        let path = format!("'/api/v1/organizations/bench-' .. {} .. '/tasks'", Organizations::Many.number());
        let create = Self::numbered(&path, task);
        let lists = "{'projects', 'tasks', 'time-entries', 'projects'}";
        self.each(&format!(
            "if n % 5 == 0 then return {create} end\n\
             local list = ({lists})[n % 5]\n\
             return wrk.format('GET', '/api/v1/organizations/bench-0/' .. list .. '?limit=20')\n"
        ))
    }

    fn numbered(path: &str, body: &str) -> String {
        format!("wrk.format('POST', {path}, nil, string.format('{body}', n))")
    }

    /// Every request has another number, also in the next round.
    fn each(&self, request: &str) -> String {
        let headers = self.headers();
        format!(
            "{headers}math.randomseed(os.time())\nlocal n = math.random(1, 1e9) * 1000\nrequest = function()\n\
             n = n + 1\n{request}end\n"
        )
    }

    /// Refreshes sessions. Each token is used once, and the answer has the next one.
    pub(super) fn refresh(&self, tokens: &[String]) -> String {
        let tokens: Vec<_> = tokens.iter().map(|token| format!("'{token}'")).collect();
        format!(
            "wrk.headers['content-type'] = 'application/json'\nlocal tokens = {{{}}}\n\
             request = function()\n\
             local token = table.remove(tokens, 1)\n\
             return wrk.format('POST', '/api/v1/auth/refresh', nil, '{{\"refresh_token\":\"' .. token .. '\"}}')\n\
             end\n\
             response = function(status, headers, body)\n\
             local token = body:match('\"refresh_token\":\"([^\"]+)\"')\n\
             if token then table.insert(tokens, token) end\n\
             end\n",
            tokens.join(", ")
        )
    }
}
