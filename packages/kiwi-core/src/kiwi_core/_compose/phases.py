"""The phases of components: what their hooks want, once everything is bound, and what their jobs have to be given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar, cast

import attrs

from kiwi_core._compose.asking import ask
from kiwi_core._compose.bind import Binding
from kiwi_core._compose.phase import Phase
from kiwi_core._compose.resolve import Resolver
from kiwi_core._compose.stack import Package, Part
from kiwi_core._hooks.schema_check import SchemaCheck
from kiwi_core._model.desired import Desired, Mounted
from kiwi_core._model.hooks import Hook, Job
from kiwi_core._model.late import Credential, External, Late, Rotation, parts_of, with_credentials
from kiwi_core._model.pins import Pins
from kiwi_core._model.schema import Schema
from kiwi_core._model.secrets import Sealed, Secret, Secretive, SecretKey, checksum
from kiwi_core._model.service import Home, Offer, Use, UseKey
from kiwi_core._model.task import Task, Tasks
from kiwi_core.errors import ComposeError, Problem, did_you_mean

__all__ = ["phases_of", "schema_checks"]

B = TypeVar("B")
O = TypeVar("O", bound=Offer)  # noqa: E741 -- an offer

_NO_KEY: Final = re.compile(r"[^-._a-zA-Z0-9]+")
"""What the keys of a Secret have not (core/v1, Secret)."""


def phases_of(
    part: Part,
    bound: Mapping[UseKey, Binding | None],
    secrets: Mapping[str, Secret],
    resolver: Resolver,
    pins: Pins,
) -> Iterator[Phase]:
    """Yield the phases of a component that have hooks.

    Args:
        part: the component.
        bound: its bindings.
        secrets: the Secrets of its namespace, by name.
        resolver: fills in what is known of credentials.
        pins: the lane's pins.

    Raises:
        PluginError: a hook's own code fails.
        ComposeError: a hook asks for what it cannot be lent.
    """
    for phase, hooks in (("pre", part.wiring.pre), ("post", part.wiring.post)):
        if hooks:
            name = f"{part.name}-{phase}"
            lender = Lender(part=part, bound=bound, secrets=secrets, resolver=resolver, pins=pins, name=name)
            yield _phase(part, phase, hooks, lender)


def _phase(part: Part, phase: str, hooks: Sequence[Hook], lender: Lender) -> Phase:
    found = [_task(part, hook, lender) for hook in hooks if not isinstance(hook, Job)]
    tasks = tuple(task for task in found if task)
    secret = Secret(lender.name, dict(lender.put)) if lender.put else None
    mounted: dict[str, tuple[str, ...]] = {}
    for key in sorted(lender.read, key=lambda key: (key.secret, key.key)):
        mounted[key.secret] = (*mounted.get(key.secret, ()), key.key)
    known = {**lender.secrets, **({secret.name: secret} if secret else {})}
    return Phase(
        release=lender.name,
        tasks=Tasks(namespace=part.home.namespace, component=part.name, phase=phase, tasks=tasks),
        jobs=tuple(hook for hook in hooks if isinstance(hook, Job)),
        secret=secret,
        mounted=mounted,
        definitions=tuple(known[name] for name in mounted if name in known),
        copies=tuple((hook.schema, hook.folder) for hook in hooks if isinstance(hook, SchemaCheck) and hook.folder),
        rights=tuple(dict.fromkeys(right for task in tasks for right in task.desired.rights())),
    )


def _task(part: Part, hook: Hook, lender: Lender) -> Task | None:
    who = f"component {part.name!r} ({part.package})"
    if not ask(who, f"is_possible() of hook {hook.name!r}", lambda: hook.is_possible(lender), bool):
        return None
    desired = ask(who, f"desired() of hook {hook.name!r}", lambda: hook.desired(lender), Desired)
    return Task(hook=hook.name, timeout=hook.timeout, desired=attrs.evolve(desired, owner=lender.owner))


def schema_checks(schemas: Sequence[Schema], package: Package, pins: Pins) -> Iterator[SchemaCheck]:
    """Yield the hook that checks each schema contract before anything else of its component runs.

    Args:
        schemas: the contracts.
        package: the component's, which has the captured histories.
        pins: the lane's pins.
    """
    for number, schema in enumerate(schemas):
        pin = pins.images.get(schema.image)
        if pin is None:
            continue  # rule g tells it
        captured = package.schemas.get(pin.repository)
        captured = captured if captured and captured.tool == schema.tool else None
        yield SchemaCheck(
            name=f"schema-{schema.image.lower()}{f'-{number + 1}' if number else ''}",
            on=(schema.on,) if schema.on else (),
            schema=schema,
            image=pin.name,
            tag=pin.tag,
            captured=captured,
        )


@attrs.frozen(kw_only=True)
class Lender:
    """Lends to the hooks of one phase what they ask for, and keeps an account of it.

    Attributes:
        name: of the Secret for what stands in no other.
        put: what that Secret holds.
        read: the keys that are read, of any Secret.
    """

    part: Part
    bound: Mapping[UseKey, Binding | None]
    secrets: Mapping[str, Secret]
    resolver: Resolver
    pins: Pins
    name: str
    put: dict[str, Secretive] = attrs.field(factory=dict[str, Secretive], init=False)
    read: dict[SecretKey, None] = attrs.field(factory=dict[SecretKey, None], init=False)

    @property
    def home(self) -> Home:
        """The place that the hook runs in."""
        return self.part.home

    @property
    def owner(self) -> str:
        """Who wants it."""
        return f"{self.part.home.namespace}/{self.part.name}"

    def binding(self, use: Use[B]) -> B:
        """Return what the component itself reads of a use."""
        # The class was checked against the one that the use names when it was bound.
        return cast("B", self._bound(use).value)

    def offer(self, use: Use[object], form: type[O]) -> O:
        """Return the offer behind a use."""
        offer = self._bound(use).offer
        if not isinstance(offer, form):
            raise ComposeError(
                Problem(
                    f"component {self.part.name!r}: a hook acts on {use.key} and needs a {form.__name__}, "
                    f"found {type(offer).__name__}",
                    hint="another kind of hook acts on that kind of service",
                )
            )
        return offer

    def secret(self, value: Sealed) -> Mounted:
        """Have a secret mounted, and return where."""
        if isinstance(value, SecretKey):
            declared = self.secrets.get(value.secret)
            known = declared.data.get(value.key) if declared else None
            self.read[value] = None
            return Mounted(value, self._previous(known))
        resolved = cast("Secretive", self.resolver.value(value))
        return Mounted(self._put(resolved), self._previous(resolved))

    def versions_with(self, schema: Schema) -> tuple[str, ...]:
        """Return the revisions that have the minimum of a contract."""
        pin = self.pins.images.get(schema.image)
        captured = self.part.package.schemas.get(pin.repository) if pin else None
        return (schema.version, *(captured.after(schema.version) if captured else ()))

    def mark(self, *secrets: Secret) -> str:
        """Return the mark of Secrets."""
        return str(self.resolver.value(checksum(*secrets)))

    def _bound(self, use: Use[object]) -> Binding:
        if use.key not in self.bound:
            hint = did_you_mean(str(use.key), map(str, self.bound), otherwise="its releases use")
            message = f"component {self.part.name!r}: a hook acts on {use.key}, which none of its releases uses"
            raise ComposeError(Problem(message, hint=hint))
        binding = self.bound[use.key]
        if binding is None:
            message = f"component {self.part.name!r}: a hook acts on {use.key}, which nobody serves in this tenant"
            raise ComposeError(Problem(message, hint="add the hook only where bound.get(…) gives a binding"))
        return binding

    def _previous(self, value: str | Late | None) -> SecretKey | None:
        """Put what the server may still know, where it took the secret at its first start."""
        earlier = with_credentials(value, _earlier) if isinstance(value, Late) else value
        return self._put(cast("Secretive", earlier)) if earlier != value else None

    def _put(self, value: Secretive) -> SecretKey:
        named = [part for part in parts_of(value) if isinstance(part, Credential | External)]
        base = ".".join(_NO_KEY.sub(".", part.name).strip(".") for part in named) or "text"
        generation = max((part.generation for part in named if isinstance(part, Credential)), default=1)
        base += f".{generation}" if generation > 1 else ""
        name, number = base, 1
        while self.put.get(name, value) != value:
            number += 1
            name = f"{base}-{number}"
        self.put[name] = value
        key = SecretKey(self.name, name)
        self.read[key] = None
        return key


def _earlier(credential: Credential) -> Credential:
    """Return a credential as it was before its last rotation, where a server reads it at its first start only."""
    if credential.rotation is not Rotation.INIT or credential.generation == 1:
        return credential
    return attrs.evolve(credential, generation=credential.generation - 1)
