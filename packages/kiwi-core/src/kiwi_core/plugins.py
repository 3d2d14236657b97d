"""Plugins: how component packages, rules and emitters are found. The only module that imports pluggy.

A component package has an entry point in the group ``kiwistack.components`` for each kind that it ships; the entry
point's name is the kind, its value a module with the hooks below::

    [project.entry-points."kiwistack.components"]
    hello = "kiwi_component_hello"

    # kiwi_component_hello/__init__.py
    from kiwi_core.plugins import hookimpl

    @hookimpl
    def kiwistack_components() -> Sequence[type[Component]]:
        return [Hello]

Installed never means enabled: only the kinds that a spec names are imported. What the package ships as data stands
beside that module: ``charts/<name>/`` its own charts, ``facts/charts/*.json`` and ``facts/schemas/*.json`` captures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar, cast

import attrs
import pluggy

from kiwi_core.errors import KiwiError, PluginError, Problem, did_you_mean

# A spec's child process imports this module for hookimpl alone: what the host needs is imported where it is used.
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from kiwi_core._compose.stack import Package
    from kiwi_core._contract.results import Check, Evidence, Outcome, Result, Rule, finding, passed, unproven
    from kiwi_core._emit.tree import Emitter
    from kiwi_core._model.component import Component
    from kiwi_core._model.desired import Desired
    from kiwi_core._model.service import Offer
    from kiwi_core.errors import Where

__all__ = [
    "Check",
    "Emitter",
    "Evidence",
    "HookSpecs",
    "Installed",
    "Outcome",
    "Plugins",
    "Result",
    "Rule",
    "finding",
    "hookimpl",
    "passed",
    "unproven",
]

_PROJECT: Final = "kiwistack"
_GROUP: Final = "kiwistack.components"
_CORE: Final = "kiwi-core"
_MISTAKE: Final = "this is a mistake in the package that ships it"

_T = TypeVar("_T")

_hookspec = pluggy.HookspecMarker(_PROJECT)
hookimpl = pluggy.HookimplMarker(_PROJECT)


def __getattr__(name: str) -> object:
    if name in __all__:
        from kiwi_core._contract import results
        from kiwi_core._emit import tree

        value: object = getattr(tree if name == "Emitter" else results, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class HookSpecs:
    """The hooks. Each returns classes or functions; behaviour lives in those."""

    @_hookspec
    def kiwistack_components(self) -> Sequence[type[Component]]:
        """Return the component classes of the package; a spec names them by their ``kind``."""
        raise NotImplementedError

    @_hookspec
    def kiwistack_services(self) -> Sequence[type[Offer]]:
        """Return classes of offers, so that a spec in data can write one down by its ``kind``."""
        raise NotImplementedError

    @_hookspec
    def kiwistack_hooks(self) -> Sequence[type[Desired]]:
        """Return classes of desired states, so that the hooks' runtime finds what a task wants by its ``kind``."""
        raise NotImplementedError

    @_hookspec
    def kiwistack_rules(self) -> Sequence[Rule]:
        """Return rules that are proven beside the contract's own."""
        raise NotImplementedError

    @_hookspec
    def kiwistack_emitters(self) -> Sequence[Emitter]:
        """Return functions that write files beside the helmfile."""
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Installed:
    """An entry point as it was found.

    Attributes:
        component: the class, or None when it cannot be had.
        problem: why it cannot.
    """

    kind: str
    distribution: str
    version: str
    component: type[Component] | None
    problem: Problem | None


class Plugins:
    """The plugins that are installed, imported only as far as they are asked for.

    Args:
        found: entry points; those of the environment by default.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._found = tuple(_entry_points() if found is None else found)
        self._manager = pluggy.PluginManager(_PROJECT)
        self._manager.add_hookspecs(HookSpecs)
        self._modules: dict[str, ModuleType] = {}
        self._sources: dict[object, str] = {}
        from kiwi_core import _builtin

        self._register(_builtin, f"{_CORE} {_core_version()}", name=_CORE)

    @cached_property
    def _entries(self) -> Mapping[str, Sequence[EntryPoint]]:
        entries: dict[str, list[EntryPoint]] = {}
        for entry in self._found:
            if all(_source(entry) != _source(other) for other in entries.get(entry.name, ())):
                entries.setdefault(entry.name, []).append(entry)
        return entries

    def component(self, kind: str) -> type[Component]:
        """Import the plugin of a kind and return its component class.

        Raises:
            PluginError: nobody ships the kind, two do, or the package cannot be imported.
        """
        from kiwi_core._model.component import Component

        entry = self._entry(kind)
        module = self._load(kind, entry)
        for _, cls in self._classes("kiwistack_components", Component, module):
            if cls.kind == kind:
                return cls
        raise PluginError(
            Problem(
                f"{' '.join(_source(entry))} has an entry point {kind!r} and no component class of that kind",
                hint=f"kiwistack_components() in {entry.value} must return a class with kind = {kind!r}",
            )
        )

    def offer(self, kind: str) -> type[Offer]:
        """Return the class of offers of a kind, among those of the plugins loaded so far.

        Raises:
            PluginError: nobody ships it, or two do.
        """
        from kiwi_core._model.service import Offer

        return self._of_kind("kiwistack_services", Offer, kind, "services")

    def desired(self, kind: str) -> type[Desired]:
        """Return the class of desired states of a kind, among those of the plugins loaded so far.

        Raises:
            PluginError: nobody ships it, or two do.
        """
        from kiwi_core._model.desired import Desired

        return self._of_kind("kiwistack_hooks", Desired, kind, "hooks")

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of the core and of the loaded plugins, by letter.

        Raises:
            PluginError: a plugin fails, or ships something else.
        """
        from kiwi_core._contract.results import Rule

        rules: list[Rule] = []
        for source, item in self._shipped("kiwistack_rules"):
            if not isinstance(item, Rule):
                raise PluginError(_unfit(source, "kiwistack_rules", item, "a Rule"))
            rules.append(item)
        return tuple(sorted(rules, key=lambda rule: rule.letter))

    def emitters(self) -> tuple[Emitter, ...]:
        """Return the emitters of the core and of the loaded plugins.

        Raises:
            PluginError: a plugin fails, or ships something else.
        """
        emitters: list[Emitter] = []
        for source, item in self._shipped("kiwistack_emitters"):
            if not callable(item):
                raise PluginError(_unfit(source, "kiwistack_emitters", item, "a function"))
            emitters.append(cast("Emitter", item))
        return tuple(emitters)

    def packages(self, kinds: Iterable[str]) -> Mapping[str, Package]:
        """Return the packages of component kinds, with their charts and facts; ``""`` is the core.

        Raises:
            PluginError: a plugin cannot be loaded, or what it ships as data cannot be read.
        """
        from kiwi_core import _builtin

        core = _package(_builtin, _CORE, _core_version())
        packages = {"": core}
        for kind in kinds:
            entry = self._entry(kind)
            distribution, version = _source(entry)
            module = self._load(kind, entry)
            packages[kind] = core if module is _builtin else _package(module, distribution, version)
        return packages

    def installed(self) -> Iterator[Installed]:
        """Import every installed plugin and yield what it ships; a broken one stops no other."""
        for kind, entries in sorted(self._entries.items()):
            for entry in entries:
                distribution, version = _source(entry)
                component, problem = None, None
                try:
                    component = self.component(kind)
                except KiwiError as error:
                    problem = error.problems[0]
                yield Installed(
                    kind=kind, distribution=distribution, version=version, component=component, problem=problem
                )

    def _entry(self, kind: str) -> EntryPoint:
        entries = self._entries.get(kind, ())
        if not entries:
            raise PluginError(
                Problem(
                    f"there is no component of kind {kind!r}",
                    hint=did_you_mean(kind, self._entries, otherwise="installed")
                    + f"; or install the package that ships it (kiwi-component-{kind}?)",
                )
            )
        if len(entries) > 1:
            sources = " and ".join(" ".join(_source(entry)) for entry in entries)
            raise PluginError(
                Problem(f"two packages ship a component of kind {kind!r}: {sources}", hint="uninstall one of them")
            )
        return entries[0]

    def _load(self, kind: str, entry: EntryPoint) -> ModuleType:
        module = self._modules.get(kind)
        if module is not None:
            return module
        source = " ".join(_source(entry))
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # a plugin may raise anything on import
            raise PluginError(_broken(kind, entry, error)) from error
        if not isinstance(module, ModuleType):
            raise PluginError(Problem(f"entry point {kind!r} of {source} is no module: {entry.value}"))
        if not self._manager.is_registered(module):
            self._register(module, source, name=entry.value)
        self._modules[kind] = module
        return module

    def _register(self, module: ModuleType, source: str, *, name: str) -> None:
        """Register a module's hooks: all of them, or none."""
        try:
            self._manager.register(module, name=name)
            _refuse_unknown_hooks(self._manager.get_hookcallers(module) or (), source)
        except Exception as error:  # a module may compute its attributes
            # pluggy keeps what it had registered before it failed.
            if self._manager.is_registered(module):
                self._manager.unregister(module)
            if isinstance(error, PluginError):
                raise
            message = f"{source} cannot be registered: {type(error).__name__}: {error}"
            raise PluginError(Problem(message, hint=_MISTAKE)) from error
        self._sources[module] = source

    def _shipped(self, hook: str, only: ModuleType | None = None) -> Iterator[tuple[str, object]]:
        """Yield what plugins return from a hook, each item with its source; one plugin at a time, to name who fails."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for implementation in caller.get_hookimpls():
            if only not in {None, implementation.plugin}:
                continue
            source = self._sources[implementation.plugin]
            try:
                items = list(cast("Iterable[object]", implementation.function()))
            except (Exception, SystemExit) as error:  # a plugin may raise anything
                message = f"{source} fails in {hook}(): {type(error).__name__}: {error}"
                raise PluginError(Problem(message, _place(error), _MISTAKE)) from error
            for item in items:
                yield source, item

    def _of_kind(self, hook: str, base: type[_T], kind: str, what: str) -> type[_T]:
        shipped = list(self._classes(hook, base))
        found = {cls: source for source, cls in shipped if _kind(cls) == kind}
        if not found:
            hint = did_you_mean(kind, {_kind(cls) for _, cls in shipped}, otherwise="there are")
            raise PluginError(Problem(f"no plugin offers {what} of kind {kind!r}", hint=hint))
        if len(found) > 1:
            sources = " and ".join(found.values())
            raise PluginError(Problem(f"two plugins ship {what} of kind {kind!r}: {sources}", hint="use one of them"))
        return next(iter(found))

    def _classes(self, hook: str, base: type[_T], only: ModuleType | None = None) -> Iterator[tuple[str, type[_T]]]:
        """Yield the classes that plugins return from a hook; each has a kind."""
        for source, item in self._shipped(hook, only):
            if not _is_kind_of(item, base):
                raise PluginError(_unfit(source, hook, item, f"a class of {base.__name__} with a kind"))
            yield source, item


def _entry_points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=_GROUP)


def _refuse_unknown_hooks(callers: Iterable[pluggy.HookCaller], source: str) -> None:
    known = [name for name in vars(HookSpecs) if name.startswith(_PROJECT)]
    for caller in callers:
        if not caller.has_spec():
            hint = did_you_mean(caller.name, known, otherwise="the hooks are")
            raise PluginError(Problem(f"{source} implements {caller.name!r}, which is no hook", hint=hint))


def _is_kind_of(item: object, base: type[_T]) -> TypeGuard[type[_T]]:
    return isinstance(item, type) and issubclass(item, base) and isinstance(getattr(item, "kind", None), str)


def _kind(cls: type) -> str:
    return cast("str", getattr(cls, "kind", ""))


def _unfit(source: str, hook: str, item: object, expected: str) -> Problem:
    return Problem(f"{source} returns {item!r} from {hook}(), expected {expected}", hint=_MISTAKE)


def _place(error: BaseException) -> Where | None:
    from kiwi_core._compose.asking import place_of

    return place_of(error)


def _broken(kind: str, entry: EntryPoint, error: BaseException) -> Problem:
    distribution, version = _source(entry)
    return Problem(
        f"the plugin of component {kind!r} cannot be loaded: {distribution} {version} ({entry.value}): "
        f"{type(error).__name__}: {error}",
        _place(error),
        hint=f"reinstall or update {distribution}, or take {kind!r} out of the spec",
    )


def _source(entry: EntryPoint) -> tuple[str, str]:
    """Return distribution and version of an entry point."""
    if entry.dist is None:
        return "an unknown distribution", "?"
    # A package whose metadata is damaged has neither, and asking for what is not there warns.
    metadata = entry.dist.metadata
    said = {key: metadata[key] for key in ("Name", "Version") if key in metadata}
    return said.get("Name", "an unknown distribution"), said.get("Version", "?")


def _core_version() -> str:
    from kiwi_core import __version__

    return __version__


def _package(module: ModuleType, distribution: str, version: str) -> Package:
    from kiwi_core._compose.stack import Package
    from kiwi_core._deliver.local_chart import read_chart
    from kiwi_core._model.capture_json import load_chart, load_schema

    assert module.__file__ is not None  # namespace packages have no hooks
    root = Path(module.__file__).parent
    try:
        charts = {path.parent.name: read_chart(path.parent) for path in sorted(root.glob("charts/*/Chart.yaml"))}
        captures = [load_chart(path.read_bytes(), file=str(path)) for path in sorted(root.glob("facts/charts/*.json"))]
        schemas = [load_schema(path.read_bytes(), file=str(path)) for path in sorted(root.glob("facts/schemas/*.json"))]
    except (KiwiError, OSError) as error:
        problems = error.problems if isinstance(error, KiwiError) else (Problem(str(error)),)
        shipped = f"what {distribution} {version} ships cannot be read: "
        raise PluginError(*(Problem(shipped + each.message, each.where, each.hint) for each in problems)) from error
    return Package(
        distribution=distribution,
        version=version,
        charts=charts,
        captures={(capture.name, capture.version): capture for capture in captures},
        schemas={schema.image: schema for schema in schemas},
    )
