"""The user of schemathesis and their data: an organization with at least one row of everything."""

import itertools
import os
import re
import time
import zlib

import requests

PASSWORD = "Quartz-lantern-47-meadow"

# The answers of these operations contain ids that other operations need in their paths and bodies.
ROWS = {
    "createInvitation": "invitation",
    "createOrganizationFor": "organization",
    "createProject": "project",
    "createRole": "role",
    "createTag": "tag",
    "createTask": "task",
    "createTimeEntry": "entry",
    "createUser": "user",
    "listAuditEvents": "event",
    "listEmails": "email",
    "listInvitations": "invitation",
    "listJobs": "job",
    "listMembers": "member",
    "listMySessions": "session",
    "listOrganizations": "organization",
    "listProjects": "project",
    "listRoles": "role",
    "listTags": "tag",
    "listTasks": "task",
    "listTimeEntries": "entry",
    "listUsers": "user",
    "startTimer": "entry",
}
KEPT = 20
PATIENCE = 60
TRIALS = 5


class Refused(Exception):
    """An error during the setup."""


class World:
    """The user and their data, created again when a request deleted them."""

    def __init__(self):
        self.origin = os.environ["INSULA_FUZZ_URL"]
        # If set, the user is this superuser instead of a new user each time.
        self.superuser = os.environ.get("INSULA_FUZZ_SUPERUSER")
        self.http = requests.Session()
        self.http.trust_env = False
        # Unique, also among earlier runs on the same server.
        self.prefix = os.environ["INSULA_FUZZ_PASS"]
        self.numbers = itertools.count(1)
        self.dice = itertools.count(1)
        self.is_sound = False
        self.token = self.me = self.email = self.org = None
        self.rows = {}
        # All valid values of the header so far.
        self.given = set()

    def authorization(self):
        """The header of an active session."""
        trials = 0
        while not self.is_sound:
            try:
                self.mend()
                self.is_sound = True
            except Refused:
                # The concurrent run of the superuser may have interfered.
                trials += 1
                if trials == TRIALS:
                    raise
        self.given.add(f"Bearer {self.token}")
        return f"Bearer {self.token}"

    def somebody(self):
        """The header of a session of a new account."""
        authorization = f"Bearer {self.log_in(self.register())}"
        self.given.add(authorization)
        return authorization

    def send(self, method, path, body=None, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(method, f"{self.origin}/api/v1{path}", json=body, headers=headers, timeout=PATIENCE)

    def ask(self, method, path, body=None, token=None):
        """Sends a request that must succeed. Returns the body of the answer."""
        answer = self.send(method, path, body, token)
        if not answer.ok:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def number(self):
        return f"{self.prefix}-{next(self.numbers)}"

    def log_in(self, email):
        return self.ask("POST", "/auth/login", {"email": email, "password": PASSWORD})["access_token"]

    def register(self):
        email = f"fuzz-{self.number()}@example.com"
        self.ask("POST", "/auth/register", {"email": email, "password": PASSWORD})
        return email

    def mend(self):
        """Checks what still exists and creates the rest."""
        if not (self.token and self.has("/users/me")):
            self.sign_in()
        if not (self.org and self.has(f"/organizations/{self.org}/settings")):
            self.found()

    def has(self, path):
        return self.send("GET", path, token=self.token).ok

    def sign_in(self):
        if self.superuser:
            self.token = self.log_in(self.superuser)
        else:
            try:
                self.token = self.log_in(self.email or self.register())
            except Refused:
                self.email = None
            if not self.email:
                self.email = self.register()
                self.token = self.log_in(self.email)
        self.me = self.ask("GET", "/users/me", token=self.token)["id"]

    def found(self):
        """Creates an organization with two projects, a role, a member, two invitations, tags, tasks and time entries."""
        slug = f"fuzz-{self.number()}"
        self.org = self.ask("POST", "/organizations", {"name": "Fuzz", "slug": slug}, self.token)["id"]
        path = f"/organizations/{self.org}"
        self.rows = {"org": [self.org, slug], "queue": ["mail", "default"]}
        for code in ("ONE", "TWO"):
            self.ask("POST", f"{path}/projects", {"code": code, "name": code}, self.token)
        for name in ("one", "two"):
            self.ask("POST", f"{path}/tags", {"name": name}, self.token)
            self.ask("POST", f"{path}/tasks", {"title": name}, self.token)
            if not self.superuser:
                hour = {"started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z"}
                self.ask("POST", f"{path}/time-entries", hour, self.token)
        role = {"name": "Planner", "permissions": ["projects:read", "projects:create"]}
        self.ask("POST", f"{path}/roles", role, self.token)
        for role in ("viewer", "admin", "member"):
            invited = self.register()
            self.ask("POST", f"{path}/invitations", {"email": invited, "roles": [role]}, self.token)
        self.accept(invited)
        lists = {
            "listAuditEvents": f"{path}/audit-events",
            "listInvitations": f"{path}/invitations",
            "listMembers": f"{path}/members",
            "listMySessions": "/users/me/sessions",
            "listProjects": f"{path}/projects",
            "listRoles": f"{path}/roles",
            "listTags": f"{path}/tags",
            "listTasks": f"{path}/tasks",
            "listTimeEntries": f"{path}/time-entries",
        }
        if self.superuser:
            lists |= {
                "listEmails": "/admin/emails",
                "listJobs": "/admin/jobs",
                "listOrganizations": "/admin/organizations",
                "listUsers": "/admin/users",
            }
        for operation, rows in lists.items():
            self.learn(operation, self.ask("GET", rows, token=self.token))

    def accept(self, email):
        """Accepts an invitation with the link from the development inbox."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            box = self.http.get(f"{self.origin}/dev/mail", headers={"Accept": "application/json"}, timeout=PATIENCE)
            for mail in box.json()["data"]:
                link = re.search(r"accept#token=([A-Za-z0-9_-]+)", mail["text"]) if email in str(mail["to"]) else None
                if link:
                    self.ask("POST", "/invitations/accept", {"token": link[1]}, self.log_in(email))
                    return
            time.sleep(0.1)
        raise Refused(f"no invitation came to {email}")

    def learn(self, operation, body):
        """Stores the ids of an answer, except those of the current user."""
        name = ROWS.get(operation)
        if not name:
            return
        kept = self.rows.setdefault(name, [])
        for row in body["data"] if isinstance(body.get("data"), list) else [body]:
            is_own = self.me in (row.get("id"), row.get("user_id")) or row.get("is_current")
            is_ours = name == "organization" and row.get("id") == self.org
            if row.get("id") and not is_own and not is_ours and row["id"] not in kept:
                kept.append(row["id"])
        del kept[:-KEPT]

    def pick(self, name, value):
        """An existing id instead of `value`: the same one for the same value, and `value` itself one time in five. Never
        the current user."""
        kept, dice = self.rows.get(name), zlib.crc32(str(value).encode(errors="replace"))
        is_kept = kept and (dice % 5 or value == self.me)
        return kept[dice // 5 % len(kept)] if is_kept else value

    def fill(self, body):
        """Puts existing ids into a body, but never the current user."""
        for member, row in (
            ("member_id", "member"),
            ("assignee_id", "member"),
            ("project_id", "project"),
            ("task_id", "task"),
            ("owner_id", "user"),
            ("default_organization_id", "org"),
        ):
            if isinstance(body.get(member), str):
                found = self.pick(row, body[member])
                # The body needs the id of an organization, not its slug.
                body[member] = self.org if row == "org" and found in self.rows["org"] else found
        for members, row in (("tags", "tag"), ("members", "member")):
            if isinstance(body.get(members), list):
                # Each id only once.
                body[members] = list(dict.fromkeys(self.pick(row, value) for value in body[members] if isinstance(value, str)))
        if isinstance(body.get("ids"), list):
            body["ids"] = [self.pick("user", user) for user in body["ids"] if user != self.me]

    def mostly(self):
        return next(self.dice) % 5 > 0

    def key(self, value):
        """A new key of the same form."""
        return f"{value[:100]}{self.number()}"

    def version(self, path, value):
        """The current ETag for `If-Match`, or `value`."""
        path = path.removeprefix("/api/v1").removesuffix("/permissions")
        return self.send("GET", path, token=self.token).headers.get("etag", value)


WORLD = World()
