"""Late values: what is known only at deploy, as typed leaves of an overlay.

A credential and a pin are named at build and filled in by the engines that deliver. They stand as leaves in a tree of
plain values; several readers walk that tree (template expressions, taint, the skeleton that rules match on).
Formatting one into a Python string raises: that would write the name where the value is meant.
"""

from __future__ import annotations

import enum
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, NoReturn, TypeAlias
from urllib.parse import quote

import attrs

from kiwi_core._model.names import dns_label

__all__ = [
    "LAST_GENERATION",
    "Credential",
    "External",
    "Image",
    "Late",
    "Pin",
    "Quoted",
    "Rotation",
    "Text",
    "Value",
    "late_leaves",
    "leaves",
    "text",
    "url",
    "with_credentials",
]


TEMPLATES: Final = ("maximum", "long", "medium", "short", "basic", "pin")
"""The templates that sprig's ``derivePassword`` has (Masterminds/sprig, crypto.go)."""

ENCODING: Final = re.compile(r"sha1sum|sha256sum|b64enc|trunc:[1-9][0-9]{0,3}|prefix:[A-Za-z0-9_-]+")
"""A step of an encoding: sprig's functions of these names; ``prefix:n`` puts ``n`` before."""


LAST_GENERATION: Final = 2**32 - 1
"""``derivePassword`` takes the counter as an unsigned number of 32 bits, and drops what is above."""


class Rotation(enum.StrEnum):
    """What it takes to change a credential."""

    LIVE = "live"
    """A hook sets the new value, with an account that is not its own."""
    INIT = "init"
    """The server reads it at its first start: a hook signs in with the old value and sets the new one."""
    DATA_KEY = "data-key"
    """Data is encrypted with it, and lost with another one."""


class Late:
    """The base of late values."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is known only at deploy and cannot become part of a Python string; "
            'join it with text("… {part} …", part=value)'
        )

    def __format__(self, spec: str) -> NoReturn:
        str(self)
        raise AssertionError


Value: TypeAlias = "None | bool | int | float | str | Late | Sequence[Value] | Mapping[str, Value]"
"""A tree of Helm values whose leaves may be late."""

Path: TypeAlias = tuple[str | int, ...]


@attrs.frozen
class Credential(Late):
    """A credential by its name: derived from the seed at deploy, never here.

    Attributes:
        scope: the claim of one component; ``derivePassword``'s user.
        purpose: what it is for within the scope; ``derivePassword``'s site.
        generation: the counter of ``derivePassword``; 1 until it is rotated.
        template: the form of what ``derivePassword`` gives, one of sprig's.
        encoding: what is done to it, in order; ``sha1sum`` makes it safe in a URL, a shell and YAML.
        customer: in a cluster's tree, the slug of the customer from whose seed it derives, where that derives from the
            platform's; empty for the seed at hand.
        rotation: what it takes to change it; no part of what it is.
    """

    scope: str = attrs.field(validator=attrs.validators.min_len(1))
    purpose: str = attrs.field(validator=attrs.validators.min_len(1))
    generation: int = attrs.field(default=1, validator=[attrs.validators.ge(1), attrs.validators.le(LAST_GENERATION)])
    template: str = attrs.field(default="long", validator=attrs.validators.in_(TEMPLATES))
    encoding: tuple[str, ...] = attrs.field(
        default=("sha1sum",), validator=attrs.validators.deep_iterable(attrs.validators.matches_re(ENCODING))
    )
    customer: str = ""
    rotation: Rotation = attrs.field(default=Rotation.LIVE, eq=False, repr=False)

    @property
    def name(self) -> str:
        """Scope and purpose, a customer's behind ``@<slug>/``: what the spec and ``secrets.lock`` call it."""
        return f"{f'@{self.customer}/' if self.customer else ''}{self.scope}/{self.purpose}"


@attrs.frozen
class External(Late):
    """A secret that no seed gives: a licence, an API key. It stands encrypted in the customer's repository.

    Attributes:
        name: the file ``secrets/<name>.age`` holds it, encrypted with age.
        because: why it cannot be derived.
    """

    name: str = attrs.field(validator=dns_label)
    because: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen
class Pin(Late):
    """A part of a pin by name: the version itself stays in ``charts.yaml`` or ``images.yaml``.

    Attributes:
        name: the key of the pin in the pin file.
        part: ``name`` is ``registry/repository``, ``reference`` the whole ``registry/repository:tag``.
    """

    name: str
    part: Literal["registry", "repository", "name", "tag", "reference"]


class Image(NamedTuple):
    """The two parts of an image pin that charts take most often."""

    repository: Pin
    tag: Pin


@attrs.frozen
class Quoted(Late):
    """A credential percent-encoded for its place in a URL (RFC 3986, section 2.1)."""

    value: Credential


Segment: TypeAlias = str | Credential | External | Pin | Quoted
"""What a text is joined from."""


@attrs.frozen
class Text(Late):
    """Literal text and late values, joined in order."""

    segments: tuple[Segment, ...]


Named: TypeAlias = Credential | External | Pin
"""What stands for one thing by its name."""


def url(value: str | Credential) -> str | Quoted:
    """Percent-encode a value for use within a URL: at once when it is known, at deploy when it is a credential."""
    return quote(value, safe="") if isinstance(value, str) else Quoted(value)


def text(template: str, **parts: str | Credential | External | Pin | Quoted) -> Text:
    """Join late values into a text: ``text("https://{user}@{host}", user=…, host=…)``.

    Args:
        template: the text with one ``{name}`` for each part; ``{{`` and ``}}`` are literal braces.
        parts: the values; each must be used.

    Raises:
        ValueError: a name without a part, a part without a name, or a conversion such as ``{x!r}`` or ``{x:>8}``.
    """
    segments: list[Segment] = []
    used: set[str] = set()
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if literal:
            segments.append(literal)
        if name is None:
            continue
        if spec or conversion or name not in parts:
            raise ValueError(f"text({template!r}): '{{{name}}}' names no part; the parts are {sorted(parts)}")
        used.add(name)
        segments.append(parts[name])
    if unused := sorted(set(parts) - used):
        raise ValueError(f"text({template!r}): the parts {unused} stand nowhere in the text")
    return Text(tuple(segments))


def leaves(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Walk a tree of values; yield each leaf with its path. An empty map or list is a leaf."""
    # A stack of its own: a generator within a generator for each level would hand every leaf through all of them.
    found: list[tuple[Path, Value]] = [(path, value)]
    while found:
        here, item = found.pop()
        if isinstance(item, str | Late) or not item:
            yield here, item
        elif isinstance(item, Mapping):
            found.extend([((*here, key), below) for key, below in item.items()][::-1])
        elif isinstance(item, Sequence):
            found.extend([((*here, index), below) for index, below in enumerate(item)][::-1])
        else:
            yield here, item


def late_leaves(value: Value) -> Iterator[tuple[Path, Named]]:
    """Yield every credential, external and pin in a tree with its path, those inside texts included."""
    for path, leaf in leaves(value):
        yield from ((path, part) for part in parts_of(leaf))


def parts_of(leaf: Value) -> Iterator[Named]:
    """Yield the credentials, externals and pins that one leaf is made of."""
    if isinstance(leaf, Named):
        yield leaf
    elif isinstance(leaf, Quoted):
        yield leaf.value
    elif isinstance(leaf, Text):
        for segment in leaf.segments:
            yield from parts_of(segment)


def with_credentials(late: Late, change: Callable[[Credential], Credential]) -> Late:
    """Return a late value in which each credential is another one; what holds none is returned as it is."""
    match late:
        case Credential():
            return change(late)
        case Quoted():
            return Quoted(change(late.value))
        case Text():
            return Text(tuple(_changed(part, change) for part in late.segments))
        case _:
            return late


def _changed(part: Segment, change: Callable[[Credential], Credential]) -> Segment:
    match part:
        case Credential():
            return change(part)
        case Quoted():
            return Quoted(change(part.value))
        case _:
            return part


def skeleton(leaf: Late, show: Callable[[Named], str] = repr) -> str:
    """Return what is known of a late value as text: literals as they are, the late parts as ``show`` puts them."""
    if isinstance(leaf, Text):
        return "".join(part if isinstance(part, str) else skeleton(part, show) for part in leaf.segments)
    if isinstance(leaf, Quoted):
        return skeleton(leaf.value, show)
    if isinstance(leaf, Named):
        return show(leaf)
    raise TypeError(f"unknown late value {leaf!r}")
