"""What PostgreSQL's errors mean to a hook."""

from __future__ import annotations

from typing import Final

from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused, Unreachable

__all__ = ["BROKEN", "error_of", "lets_in_anybody", "why_not"]

BROKEN: Final = "08006"
"""The SQLSTATE of a connection that broke."""
STATES: Final[dict[str, type[HookError]]] = {
    "08": Unreachable,  # connection exceptions
    "25006": Unreachable,  # read-only: a standby, or a server that is being switched over
    "53300": Unreachable,  # too many connections
    "55P03": Unreachable,  # lock_timeout: another run is at it
    "57014": Unreachable,  # statement_timeout
    "57P": Unreachable,  # shutting down, starting up
    "28": Refused,
    "42501": Forbidden,
    "23505": Conflict,  # two that make the same thing at once, in a catalog's index
    "3D000": Conflict,  # the database, role, … is gone meanwhile
    "40": Conflict,  # deadlock, serialization failure
    "42704": Conflict,
    "42710": Conflict,  # … is there meanwhile
    "42P04": Conflict,
    "55006": Conflict,  # in use
}
"""What a SQLSTATE, or the beginning of one, means (source: PostgreSQL's documentation, appendix A)."""

SIGN_IN_FAILED: Final[tuple[tuple[str, type[HookError]], ...]] = (
    ("no pg_hba.conf entry", Refused),
    ("pg_hba.conf rejects", Refused),
    ("authentication failed", Refused),
    ("is not permitted to log in", Refused),
    ("permission denied for database", Forbidden),
    ("not currently accepting connections", HookError),
    ("shutting down", Unreachable),
    ("starting up", Unreachable),
    ("not yet accepting connections", Unreachable),
    ("in recovery", Unreachable),
    ("terminating connection", Unreachable),
    ("closed the connection", Unreachable),
    ("could not receive", Unreachable),
    ("could not send", Unreachable),
    ("too many", Unreachable),
    ("connection slots", Unreachable),
    ("timeout", Unreachable),
)
"""What a failed sign-in means: libpq has no SQLSTATE of it, only the server's words, which may be in its language."""
HINTS: Final = {
    "55P03": "another run, or a person, holds a lock on it",
    "3F000": "a schema has to be there before; where the component makes it itself, grant in a post hook",
    "25006": "it is a standby, or being switched over: the hook needs the server that can be written to",
}


def error_of(state: str, said: str, where: str, lack: str) -> HookError:
    """Return the error that a failed statement means.

    Args:
        state: its SQLSTATE; empty where there is none.
        said: the server's words.
        where: the server, and what was asked.
        lack: who lacks which right, should that be the reason.
    """
    form = next((STATES[state[:size]] for size in (5, 3, 2) if state[:size] in STATES), HookError)
    if "concurrently" in said:  # "tuple concurrently updated" is an internal error to the server
        form = Conflict
    if form is Forbidden:
        return Forbidden(Problem(f"{where}: {lack}: {said}", hint="give it that right"))
    return form(Problem(f"{where}: {said}", hint=HINTS.get(state)))


def lets_in_anybody(whom: str) -> HookError:
    """Return the error of a server that asks an account for no password."""
    hint = "set scram-sha-256 instead of trust in its pg_hba.conf, for all hosts: no password protects anything there"
    return HookError(Problem(f"{whom} was let in without being asked for the password", hint=hint))


def why_not(said: str, whom: str, *, used_password: bool) -> HookError:
    """Return the error that a failed sign-in means.

    Args:
        said: what libpq said: the server's words, or its own.
        whom: the server and the account.
        used_password: whether the server had asked for the password when it failed.
    """
    words = said.strip().partition("\n")[0]
    if "server did not complete authentication" in said:
        return lets_in_anybody(whom)
    if "authentication method requirement" in said:
        hint = "set scram-sha-256 in its pg_hba.conf: hooks never send a password in the clear"
        return HookError(Problem(f"{whom} was asked for the password in the clear", hint=hint))
    # Words in another language: once the password was asked for, it is the likeliest reason.
    otherwise = Refused if used_password else Unreachable
    form = next((form for text, form in SIGN_IN_FAILED if text in said), otherwise)
    hint = "the password in its Secret is not the one that the server knows"
    is_password = used_password and form is Refused
    what = f"{whom} could not sign in: {words or 'the server does not say why'}"
    return form(Problem(what, hint=hint if is_password else None))
