"""How schemathesis logs in and uses existing rows, and which errors are accepted."""

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from world import WORLD

# After these, the user, their session or their organization may be gone or renamed.
DISTURBING = {
    "changeMyPassword",
    "changeUsers",
    "deactivateUser",
    "deleteAnyOrganization",
    "deleteOrganization",
    "deleteUser",
    "leaveOrganization",
    "logOut",
    "logOutEverywhere",
    "removeMember",
    "revokeMyOtherSessions",
    "revokeMySession",
    "revokeUserSessions",
    "suspendOrganization",
    "updateAnyOrganization",
    "updateMember",
    "updateOrganization",
    "updateUser",
}

# These end the account or change its user. A separate user sends them.
FINAL = {"changeMyEmail", "deleteMe"}

# Errors that depend on stored data, or on rules that a schema cannot express. All other requests that fit the document
# must be accepted, or rejected with 401, 403, 404, 409 or 410.
PROBLEMS = {
    "INVALID_CURSOR": "a cursor is valid for one list with its filters and sort order",
    "IDEMPOTENCY_MISMATCH": "a key belongs to the body that it was first sent with",
    "PRECONDITION_FAILED": "only the row knows its current version",
    "PASSWORD_MISMATCH": "the password is wrong",
    "WEAK_PASSWORD": "leaked passwords are looked up, and names are compared",
}
FIELDS = {
    (None, "TOO_COMMON"): "leaked passwords are looked up",
    (None, "TOO_SIMILAR"): "passwords are compared with the name and the e-mail address",
    (None, "MIXED_SCRIPTS"): "a pattern cannot express the alphabet of a letter",
    (None, "UNKNOWN_CURRENCY"): "they change with ISO 4217",
    (None, "UNKNOWN_PERMISSION"): "they grow with every release; GET /permissions lists them",
    (None, "UNKNOWN_REFERENCE"): "it is looked up",
    (None, "UNKNOWN_TIMEZONE"): "they change with the IANA database",
    (None, "RESERVED"): "a slug that is a page of ours",
    (None, "TOO_SHORT"): "a text of only spaces",
    ("If-Match", "INVALID_FORMAT"): "schemathesis treats an empty value as absent; the API does not",
    ("action", "NOT_A_CHOICE"): "kinds of events grow with every release",
    ("description", "INVALID_FORMAT"): "control characters in texts for people",
    ("device_name", "INVALID_FORMAT"): "as `description`",
    ("first_name", "INVALID_FORMAT"): "as `description`",
    ("last_name", "INVALID_FORMAT"): "as `description`",
    ("name", "INVALID_FORMAT"): "as `description`",
    ("q", "INVALID_FORMAT"): "as `description`",
    ("activity", "INVALID_FORMAT"): "zero-width joiners outside of words",
    ("title", "INVALID_FORMAT"): "as `activity`",
    ("email", "INVALID_FORMAT"): "`format: idn-email`, which length-based string generators ignore",
    ("ip", "INVALID_FORMAT"): "IPv4 or IPv6",
    ("member_id", "NOT_A_CHOICE"): "the current user",
    ("owner_email", "INVALID_FORMAT"): "as `email`",
    ("password_hash", "INVALID_FORMAT"): "PHC string or bcrypt",
    ("to", "INVALID_FORMAT"): "as `email`",
    ("to", "OUT_OF_RANGE"): "not before `from`",
    ("seq_to", "OUT_OF_RANGE"): "not before `seq_from`",
    (None, "UNKNOWN_PROJECT"): "it is looked up",
    (None, "UNKNOWN_TASK"): "it is looked up",
    (None, "UNKNOWN_TAG"): "it is looked up",
    (None, "UNKNOWN_MEMBER"): "it is looked up",
    (None, "INACTIVE_MEMBER"): "it is looked up",
    (None, "TASK_OF_OTHER_PROJECT"): "it is looked up",
    ("project_code", "AMBIGUOUS"): "not beside `project_id`",
    ("started_at", "OUT_OF_RANGE"): "the years that people work in",
    ("started_at", "IN_FUTURE"): "depends on the current time",
    ("ended_at", "IN_FUTURE"): "depends on the current time",
    ("ended_at", "ENDED_BEFORE_STARTED"): "not before `started_at`",
    ("ended_at", "ENTRY_TOO_LONG"): "at most the maximum length of the organization after `started_at`",
    ("locked_until", "IN_FUTURE"): "depends on the current time",
    ("X-Platform-Access", "INVALID_FORMAT"): "invisible characters",
    ("notes", "INVALID_FORMAT"): "control characters other than line breaks",
    ("rows", "REQUIRED"): "a cell of a file",
    ("rows", "ENDED_BEFORE_STARTED"): "a cell of a file",
    ("rows", "NOT_A_MEMBER"): "a superuser is not a member",
    ("group_by", "NOT_UNIQUE"): "each level only once",
    ("group_by", "TOO_MANY_BUCKETS"): "depends on the number of days between two times",
}

# States of rows that stay readable after their end.
GONE = {"deleted", "revoked"}

# Nearly valid rows of files. Random text would already fail at the header.
FILE = "started_at,ended_at,notes\n"
ROWS = [
    "2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,\n",
    "2026-03-02T09:00:00Z,2026-03-02T09:30:00Z,\"a\nb\"\n",
    "2026-03-02T09:00:00Z,2026-03-02T08:00:00Z,'=1\n",
    "2026-03-02T09:00:00Z,,\n",
]


def operation_id(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        return WORLD.authorization()

    def set(self, case, authorization, context):
        case.headers = {**(case.headers or {}), "Authorization": authorization}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives well-formed requests a meaning: existing rows, new keys and current versions."""
    negative = case.meta.is_negative_at if case.meta else lambda location: False
    # Many cases are generated before the first one is sent. The session may have ended in the meantime.
    if case.headers.get("Authorization") in WORLD.given:
        is_final = operation_id(case) in FINAL
        case.headers["Authorization"] = WORLD.somebody() if is_final else WORLD.authorization()
    if not negative(ParameterLocation.PATH):
        for name, value in (case.path_parameters or {}).items():
            case.path_parameters[name] = WORLD.pick(name, value)
    if not WORLD.superuser:
        # Only accepted from superusers.
        case.headers.pop("X-Platform-Access", None)
    if not negative(ParameterLocation.HEADER):
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = WORLD.key(case.headers["Idempotency-Key"])
        if "If-Match" in case.headers and WORLD.mostly():
            case.headers["If-Match"] = WORLD.version(case.formatted_path, case.headers["If-Match"])
    if not negative(ParameterLocation.QUERY) and "cursor" in (case.query or {}) and WORLD.mostly():
        del case.query["cursor"]
    if isinstance(case.body, dict) and not negative(ParameterLocation.BODY):
        WORLD.fill(case.body)
    if operation_id(case) == "importTimeEntries" and not negative(ParameterLocation.BODY):
        # The same rows for the same text.
        places = str(case.body).encode(errors="replace")[:5]
        case.body = FILE + "".join(ROWS[place % len(ROWS)] for place in places)


@schemathesis.hook
def after_call(context, case, response):
    operation = operation_id(case)
    if response.status_code < 300:
        if operation in DISTURBING:
            WORLD.is_sound = False
        elif response.headers.get("content-type", [""])[0].startswith("application/json"):
            WORLD.learn(operation, response.json())
    elif response.status_code == 401:
        WORLD.is_sound = False


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure counts."""
    if type(failure).__name__ == "AcceptedNegativeData":
        # The redirect to the new slug comes before the validation of the request.
        if response.status_code == 308:
            return False
        # Each row has its own answer. At least one of them must be an error.
        if response.status_code == 207:
            return all(outcome["status"] < 400 for outcome in response.json()["data"])
    if type(failure).__name__ == "UseAfterFree":
        row = response.json() if response.content else {}
        return not (row.get("status") in GONE or row.get("deleted_at"))
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    names = [(error["field"].split("[")[0].split(".")[-1], error["code"]) for error in problem["errors"]]
    is_known = all((None, code) in FIELDS or (name, code) in FIELDS for name, code in names)
    return problem["error"] not in PROBLEMS and not (names and is_known)
