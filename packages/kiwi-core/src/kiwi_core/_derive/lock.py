"""``secrets.lock``: what proves later that a seed gives the credentials that were deployed, and tells none of them.

The file stands in git. Who has it can tell which credentials changed and when, and can try seeds against it, at the
price of one scrypt each: that is why a seed has 128 bits or more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar, cast

import attrs

from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import CredentialError, Seed
from kiwi_core._derive.seeds import mark_of
from kiwi_core._model.late import LAST_GENERATION, TEMPLATES, Credential
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["Changes", "Lock", "LockEntry", "compare", "compare_names", "dump_lock", "load_lock", "lock_of", "names_of"]

FORM: Final = "secrets.lock/1"
"""The form of the file, and its version: it changes when an older reader would misread a newer file."""

ABOUT: Final = "written by 'kiwistack secrets fingerprint', never by hand; it holds no secret"
COMMAND: Final = "kiwistack secrets fingerprint"
MEND: Final = f"take git's version of it back, or remove it, and run '{COMMAND}'"
TAKE_ONE: Final = f"take one side whole (git checkout --ours -- secrets.lock), and run '{COMMAND}'"

EXPECTED: Final[Mapping[type, str]] = {dict: "an object", str: "text", int: "an integer"}

T = TypeVar("T")

_USUAL: Final = Credential("any", "thing")
_FORMED: Final = re.compile(rf"(.+) \((?:{'|'.join(TEMPLATES)})(?:, [^()]+)?\)", re.DOTALL)
_CONFLICT: Final = re.compile(rb"^<{7} ", re.MULTILINE)

_fingerprint: Final = attrs.validators.matches_re(r"[0-9a-f]{32}")
_mark: Final = attrs.validators.matches_re(r"k[0-9a-f]{31}")
_generation: Final = attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(LAST_GENERATION))


@attrs.frozen(kw_only=True)
class LockEntry:
    """A credential as it was deployed.

    Attributes:
        generation: its generation.
        fingerprint: that of its value (:attr:`~kiwi_core._derive.taint.Derived.fingerprint`).
    """

    generation: int = attrs.field(validator=_generation)
    fingerprint: str = attrs.field(validator=_fingerprint)


@attrs.frozen(kw_only=True)
class Lock:
    """The fingerprints of all credentials of a customer or a cluster.

    Attributes:
        seed: the mark of the seed that they are derived from.
        credentials: name (:func:`names_of`) to what was deployed.
    """

    seed: str = attrs.field(validator=_mark)
    credentials: Mapping[str, LockEntry]


@attrs.frozen(kw_only=True)
class Changes:
    """What differs between the credentials that were deployed and those that would be.

    Attributes:
        is_other_seed: whether they are derived from two seeds; then every value differs.
        added, removed: names that only one of the two has.
        reformed: old and new name of those with another template or encoding.
        rotated: name to old and new generation.
        changed: names with another value and nothing else that would tell why.
    """

    is_other_seed: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reformed: tuple[tuple[str, str], ...] = ()
    rotated: Mapping[str, tuple[int, int]] = attrs.field(factory=dict[str, tuple[int, int]])
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return self != Changes()


def names_of(credentials: Iterable[Credential]) -> Mapping[str, Credential]:
    """Return credentials by the names that a lock has for them, sorted.

    That is ``scope/purpose``, with what is unusual behind it: a template or an encoding that is not the usual one, as
    in ``dovecot/doveadm (long)``, and the generation of one that stands beside a newer one, as in
    ``onyx/opensearch (generation 1)``. So a name does not depend on what else there is, but for newer generations.

    Raises:
        CredentialError: two credentials would have one name.
    """
    wanted = tuple(dict.fromkeys(credentials))
    newest: dict[tuple[object, ...], int] = {}
    for late in wanted:
        newest[_key(late)] = max(late.generation, newest.get(_key(late), 0))
    names: dict[str, Credential] = {}
    problems: list[Problem] = []
    for late in wanted:
        name = _name(late, is_newest=late.generation == newest[_key(late)])
        other = names.setdefault(name, late)
        if other != late:
            message = f"the credentials {_quoted(other)} and {_quoted(late)} would both be {name!r} in secrets.lock"
            problems.append(Problem(message, hint="give one of them another scope or purpose"))
    raise_all(CredentialError, problems)
    return dict(sorted(names.items()))


def _key(late: Credential) -> tuple[object, ...]:
    return late.customer, late.scope, late.purpose, late.template, late.encoding


def _name(late: Credential, *, is_newest: bool) -> str:
    is_usual = (late.template, late.encoding) == (_USUAL.template, _USUAL.encoding)
    suffix = () if is_usual else (late.template, *late.encoding)
    if not is_newest:
        suffix = (*suffix, f"generation {late.generation}")
    return f"{late.name} ({', '.join(suffix)})" if suffix else late.name


def _quoted(late: Credential) -> str:
    return f"{late.purpose!r} of scope {late.scope!r}"


def lock_of(seed: Seed, credentials: Iterable[Credential]) -> Lock:
    """Derive credentials and return their fingerprints.

    It takes 0.2 s of one core for each distinct scope, and for the mark of the seed.

    Raises:
        CredentialError: two would have one name, or one cannot be derived.
        ExternalError: this Python cannot compute scrypt.
    """
    named = names_of(credentials)
    derived = derive_all(seed, named.values())
    entries = {
        name: LockEntry(generation=late.generation, fingerprint=derived[late].fingerprint)
        for name, late in named.items()
    }
    return Lock(seed=mark_of(seed), credentials=entries)


def dump_lock(lock: Lock) -> bytes:
    """Return a lock as JSON, a credential to a line, the same bytes for the same lock."""
    digest = hashlib.sha256(_text(lock, "").encode()).hexdigest()
    return _text(lock, f"sha256:{digest}").encode()


def _text(lock: Lock, digest: str) -> str:
    head = {"form": FORM, "about": ABOUT, "digest": digest, "seed": lock.seed}
    entries = [
        f"  {json.dumps(name)}: {json.dumps(attrs.asdict(entry))}" for name, entry in sorted(lock.credentials.items())
    ]
    lines = [f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()]
    body = "{\n" + ",\n".join(entries) + "\n }" if entries else "{}"
    return "{\n" + "".join(lines) + f' "credentials": {body}\n}}\n'


def load_lock(data: bytes, *, file: str = "secrets.lock") -> Lock:
    """Read a lock.

    Args:
        data: the file's content.
        file: what to call it in a message.

    Raises:
        InputError: it is not, byte for byte, what :func:`dump_lock` writes.
    """
    where = Where(file)
    try:
        content: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(_unreadable(data, file, error)) from None
    form = cast("dict[str, object]", content).get("form") if isinstance(content, dict) else None
    if form != FORM:
        newer = isinstance(form, str) and form.startswith("secrets.lock/")
        message = f"its form is {form!r}, expected {FORM!r}" if newer else "this is no secrets.lock"
        raise InputError(Problem(message, where, "update kiwi-core" if newer else MEND))
    try:
        lock = _lock(cast("dict[str, object]", content))
    except (ValueError, TypeError, KeyError) as error:
        message = f"it is not as it was written: {_said(error)}"
        raise InputError(Problem(message, where, MEND)) from None
    if dump_lock(lock) != data:
        message = "it is not as it was written: it was edited by hand, or its line ends were changed"
        raise InputError(Problem(message, where, MEND))
    return lock


def _unreadable(data: bytes, file: str, error: Exception) -> Problem:
    conflict = _CONFLICT.search(data)
    if conflict:
        where = Where(file, data.count(b"\n", 0, conflict.start()) + 1)
        return Problem("found the marker of a git merge conflict: <<<<<<<", where, TAKE_ONE)
    line = error.lineno if isinstance(error, json.JSONDecodeError) else None
    return Problem(f"this is no JSON: {_said(error)}", Where(file, line), MEND)


def _said(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return error.msg
        case KeyError():
            return f"{error.args[0]!r} is not there"
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case _:
            # attrs adds the attribute and the value behind the message.
            return str(error.args[0])


def _lock(content: Mapping[str, object]) -> Lock:
    credentials = cast("dict[str, object]", _typed(content, "credentials", dict))
    entries = {name: _entry(name, entry) for name, entry in credentials.items()}
    return Lock(seed=_typed(content, "seed", str), credentials=entries)


def _entry(name: str, data: object) -> LockEntry:
    entry = cast("dict[str, object]", _typed({name: data}, name, dict))
    return LockEntry(generation=_typed(entry, "generation", int), fingerprint=_typed(entry, "fingerprint", str))


def _typed(content: Mapping[str, object], key: str, form: type[T]) -> T:
    value = content[key]
    if not isinstance(value, form) or isinstance(value, bool):
        raise TypeError(f"{key!r} is {value!r}, expected {EXPECTED[form]}")
    return value


def compare(old: Lock, new: Lock) -> Changes:
    """Say what differs between two locks."""
    changes = compare_names(_generations(old), _generations(new))
    both = old.credentials.keys() & new.credentials.keys() - changes.rotated.keys()
    changed = sorted(name for name in both if old.credentials[name] != new.credentials[name])
    return attrs.evolve(changes, is_other_seed=old.seed != new.seed, changed=tuple(changed))


def _generations(lock: Lock) -> Mapping[str, int]:
    return {name: entry.generation for name, entry in lock.credentials.items()}


def compare_names(old: Mapping[str, int], new: Mapping[str, int]) -> Changes:
    """Say what differs as far as names and generations tell it, with no seed at hand.

    Args:
        old: name to generation of what was deployed.
        new: the same of what would be.
    """
    added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    reformed = tuple(_pairs(removed, added))
    gone, come = {one for one, _ in reformed}, {other for _, other in reformed}
    return Changes(
        added=tuple(name for name in added if name not in come),
        removed=tuple(name for name in removed if name not in gone),
        reformed=reformed,
        rotated={name: (old[name], new[name]) for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
    )


def _pairs(removed: Iterable[str], added: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield those that are gone with those that have come in their place: of one name but for what stands behind it."""
    come = {_base(name): name for name in added}
    for name in removed:
        other = come.pop(_base(name), None)
        if other is not None:
            yield name, other


def _base(name: str) -> str:
    found = _FORMED.fullmatch(name)
    return found[1] if found else name
