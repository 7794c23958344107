"""Whom schemathesis is, and what it may find: a person with an organization in which there is one of everything."""

import itertools
import os
import re
import time
import zlib

import requests

PASSWORD = "Quartz-lantern-47-meadow"

# The answers of these operations name rows, which others take in their paths and bodies.
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
    """An answer that the world cannot be made with."""


class World:
    """The caller and what is his; made anew when a request ended it."""

    def __init__(self):
        self.origin = os.environ["INSULA_FUZZ_URL"]
        # Set: the caller is this operator of the platform, and not somebody new each time.
        self.operator = os.environ.get("INSULA_FUZZ_OPERATOR")
        self.http = requests.Session()
        self.http.trust_env = False
        # Nobody else's, also not of the run before on the same server.
        self.prefix = os.environ["INSULA_FUZZ_PASS"]
        self.numbers = itertools.count(1)
        self.dice = itertools.count(1)
        self.is_sound = False
        self.token = self.me = self.email = self.org = None
        self.rows = {}
        # Every value of the header that was a good one.
        self.given = set()

    def authorization(self):
        """The header of a session that is good now."""
        trials = 0
        while not self.is_sound:
            try:
                self.mend()
                self.is_sound = True
            except Refused:
                # The operator's pass was in between, which asks for everything too.
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
        """The body of an answer that is a success."""
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
        """Looks what is still there, and makes what is not."""
        if not (self.token and self.has("/users/me")):
            self.sign_in()
        if not (self.org and self.has(f"/organizations/{self.org}/settings")):
            self.found()

    def has(self, path):
        return self.send("GET", path, token=self.token).ok

    def sign_in(self):
        if self.operator:
            self.token = self.log_in(self.operator)
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
        """An organization with two projects, a role, a member and two invitations; tags, tasks and time."""
        slug = f"fuzz-{self.number()}"
        self.org = self.ask("POST", "/organizations", {"name": "Fuzz", "slug": slug}, self.token)["id"]
        path = f"/organizations/{self.org}"
        self.rows = {"org": [self.org, slug], "queue": ["mail", "default"]}
        for code in ("ONE", "TWO"):
            self.ask("POST", f"{path}/projects", {"code": code, "name": code}, self.token)
        for name in ("one", "two"):
            self.ask("POST", f"{path}/tags", {"name": name}, self.token)
            self.ask("POST", f"{path}/tasks", {"title": name}, self.token)
            if not self.operator:
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
        if self.operator:
            lists |= {
                "listEmails": "/admin/emails",
                "listJobs": "/admin/jobs",
                "listOrganizations": "/admin/organizations",
                "listUsers": "/admin/users",
            }
        for operation, rows in lists.items():
            self.learn(operation, self.ask("GET", rows, token=self.token))

    def accept(self, email):
        """As the invited person does, by the mail that development shows."""
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
        """Remembers the rows that an answer names, but not the caller himself."""
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
        """Something that is there, instead of `value`: the same for the same value, and `value` itself one time in five, but
        never the caller."""
        kept, dice = self.rows.get(name), zlib.crc32(str(value).encode(errors="replace"))
        is_kept = kept and (dice % 5 or value == self.me)
        return kept[dice // 5 % len(kept)] if is_kept else value

    def fill(self, body):
        """Names rows that are there in a body, and never the caller."""
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
                # An organization is named by its id alone.
                body[member] = self.org if row == "org" and found in self.rows["org"] else found
        for members, row in (("tags", "tag"), ("members", "member")):
            if isinstance(body.get(members), list):
                # Each is named once.
                body[members] = list(dict.fromkeys(self.pick(row, value) for value in body[members] if isinstance(value, str)))
        if isinstance(body.get("ids"), list):
            body["ids"] = [self.pick("user", user) for user in body["ids"] if user != self.me]

    def mostly(self):
        return next(self.dice) % 5 > 0

    def key(self, value):
        """A key of the same form, used by nobody yet."""
        return f"{value[:100]}{self.number()}"

    def version(self, path, value):
        """What `If-Match` has to say there, or `value`."""
        path = path.removeprefix("/api/v1").removesuffix("/permissions")
        return self.send("GET", path, token=self.token).headers.get("etag", value)


WORLD = World()
