"""Plugins: found by entry points, imported when named, and a broken one is named and stops no other."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Protocol

import pytest
from kiwi_core import BucketOffer, Component, ExistingServices
from kiwi_core._emit.helmfile import emit_helmfile
from kiwi_core.errors import PluginError, Problem
from kiwi_core.plugins import Plugins

GROUP = "kiwistack.components"

HELLO = """
from kiwi_core import Component
from kiwi_core.plugins import hookimpl

class Hello(Component):
    kind = "hello"

@hookimpl
def kiwistack_components():
    return [Hello]
"""


class Install(Protocol):
    """Makes a distribution as pip would leave it."""

    def __call__(
        self, kind: str, code: str = ..., *, version: str = ..., entry: str | None = ..., dist: str | None = ...
    ) -> Path: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install distributions into a folder that is on the path for the time of a test."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    before = set(sys.modules)

    def make(
        kind: str, code: str = HELLO, *, version: str = "1.2.3", entry: str | None = None, dist: str | None = None
    ) -> Path:
        module = f"sample_{kind.replace('-', '_')}"
        dist = dist or f"kiwi-component-{kind}"
        metadata = tmp_path / f"{dist.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n", "utf-8")
        (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{kind} = {entry or module}\n", "utf-8")
        package = tmp_path / module
        package.mkdir(exist_ok=True)
        # What it leaves behind tells that it was imported.
        marker = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n"
        (package / "__init__.py").write_text(marker + code.replace("hello", kind), "utf-8")
        return package

    yield make
    for name in set(sys.modules) - before:
        if name.startswith("sample_"):
            del sys.modules[name]


@pytest.fixture
def plugins(tmp_path: Path) -> Callable[[], Plugins]:
    """The plugins of that folder."""

    def found() -> Iterator[EntryPoint]:
        for distribution in distributions(path=[str(tmp_path)]):
            yield from distribution.entry_points.select(group=GROUP)

    return lambda: Plugins(found())


def problem(action: Callable[[], object]) -> Problem:
    """The only problem that something raises."""
    with pytest.raises(PluginError) as caught:
        action()
    (only,) = caught.value.problems
    return only


def was_imported(package: Path) -> bool:
    return (package / "imported").exists()


def test_a_component_is_found_by_its_kind(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello")
    found = plugins().component("hello")
    assert (found.kind, found.__name__) == ("hello", "Hello")
    assert issubclass(found, Component)


def test_installed_never_means_enabled(install: Install, plugins: Callable[[], Plugins]) -> None:
    named, other = install("hello"), install("other")
    host = plugins()
    host.component("hello")
    host.packages(["hello"])
    host.rules()
    host.emitters()
    host.offer("bucket")
    assert was_imported(named)
    assert not was_imported(other)


def test_the_entry_points_of_the_environment_are_the_default(install: Install) -> None:
    install("hello")
    assert Plugins().component("hello").kind == "hello"
    assert Plugins().component("existing-services") is ExistingServices


def test_a_process_that_names_one_plugin_imports_no_other(install: Install, tmp_path: Path) -> None:
    named, other = install("hello"), install("other", "raise SystemExit('never')")
    code = "import sys; from kiwi_core.plugins import Plugins; sys.stdout.write(Plugins().component('hello').kind)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "hello"
    assert was_imported(named)
    assert not was_imported(other)


BROKEN_IMPORTS = {
    "an exception": ("1 / 0", "ZeroDivisionError: division by zero"),
    "a module that is not there": ("import sample_nowhere", "ModuleNotFoundError: No module named 'sample_nowhere'"),
    "no Python": ("def", "SyntaxError: invalid syntax"),
    "an exit": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "an error of ours": ("from kiwi_core.errors import SpecError; raise SpecError('odd')", "SpecError: odd"),
    "an error of the model": (
        "from kiwi_core import Postgres\nDB = Postgres('No Label')",
        "ValueError: name 'No Label' is no DNS label",
    ),
}


@pytest.mark.parametrize(("code", "cause"), BROKEN_IMPORTS.values(), ids=BROKEN_IMPORTS)
def test_a_plugin_that_cannot_be_imported_is_named(
    install: Install, plugins: Callable[[], Plugins], code: str, cause: str
) -> None:
    install("broken", code)
    install("hello")
    host = plugins()
    found = problem(lambda: host.component("broken"))
    assert found.message.startswith(
        "the plugin of component 'broken' cannot be loaded: kiwi-component-broken 1.2.3 (sample_broken): "
    )
    assert cause in found.message
    assert found.hint == "reinstall or update kiwi-component-broken, or take 'broken' out of the spec"
    assert host.component("hello").kind == "hello"


def test_the_line_that_breaks_a_plugin_is_named(install: Install, plugins: Callable[[], Plugins]) -> None:
    package = install("broken", "\n\nfrom kiwi_core import Postgres\nDB = Postgres('No Label')")
    where = problem(lambda: plugins().component("broken")).where
    assert where is not None
    assert (where.file, where.line) == (str(package / "__init__.py"), 6)


def hook(name: str, body: str, head: str = "") -> str:
    """A plugin with one hook of some name, beside a good component."""
    return f"{HELLO if name != 'kiwistack_components' else 'from kiwi_core.plugins import hookimpl'}\n{head}\n@hookimpl\ndef {name}():\n    {body}\n"


CLASSES = "a class of Component with a kind"
BROKEN_HOOKS: dict[str, tuple[str, str, str]] = {
    "components that raise": (
        "kiwistack_components",
        "raise KeyError('x')",
        "fails in kiwistack_components(): KeyError",
    ),
    "components that exit": (
        "kiwistack_components",
        "raise SystemExit(3)",
        "fails in kiwistack_components(): SystemExit",
    ),
    "components that are nothing": (
        "kiwistack_components",
        "return None",
        "fails in kiwistack_components(): TypeError",
    ),
    "components that are a text": (
        "kiwistack_components",
        "return 'ab'",
        f"returns 'a' from kiwistack_components(), expected {CLASSES}",
    ),
    "components that are no classes": (
        "kiwistack_components",
        "return [1]",
        f"returns 1 from kiwistack_components(), expected {CLASSES}",
    ),
    "components of another class": (
        "kiwistack_components",
        "return [int]",
        f"returns <class 'int'> from kiwistack_components(), expected {CLASSES}",
    ),
    "components without a kind": (
        "kiwistack_components",
        "from kiwi_core import Component\n    return [type('X', (Component,), {})]",
        f".X'> from kiwistack_components(), expected {CLASSES}",
    ),
    "components of another kind": (
        "kiwistack_components",
        "from kiwi_core import Component\n    return [type('X', (Component,), {'kind': 'another'})]",
        "has an entry point 'broken' and no component class of that kind",
    ),
    "no component": (
        "kiwistack_components",
        "return []",
        "has an entry point 'broken' and no component class of that kind",
    ),
}


@pytest.mark.parametrize(("name", "body", "message"), BROKEN_HOOKS.values(), ids=BROKEN_HOOKS)
def test_a_plugin_whose_components_cannot_be_had_is_named(
    install: Install, plugins: Callable[[], Plugins], name: str, body: str, message: str
) -> None:
    install("broken", hook(name, body))
    install("hello")
    host = plugins()
    found = problem(lambda: host.component("broken"))
    assert found.message.startswith("kiwi-component-broken 1.2.3 ")
    assert message in found.message
    assert host.component("hello").kind == "hello"


ASKED: dict[str, Callable[[Plugins], object]] = {
    "kiwistack_services": lambda host: host.offer("bucket"),
    "kiwistack_rules": lambda host: host.rules(),
    "kiwistack_emitters": lambda host: host.emitters(),
}


@pytest.mark.parametrize(("name", "ask"), ASKED.items())
@pytest.mark.parametrize(
    ("body", "message"),
    [("raise KeyError('x')", "fails in {}(): KeyError: 'x'"), ("return [5]", "returns 5 from {}(), expected ")],
)
def test_another_hook_that_is_broken_is_named_and_its_component_still_works(
    install: Install,
    plugins: Callable[[], Plugins],
    name: str,
    ask: Callable[[Plugins], object],
    body: str,
    message: str,
) -> None:
    install("broken", hook(name, body))
    host = plugins()
    assert ask(host)
    assert host.component("broken").kind == "broken"
    found = problem(lambda: ask(host))
    assert found.message.startswith(f"kiwi-component-broken 1.2.3 {message.format(name)}")
    assert found.hint == "this is a mistake in the package that ships it"


BROKEN_MODULES = {
    "a hook that there is not": (
        "@hookimpl\ndef kiwistack_componets():\n    return []",
        "implements 'kiwistack_componets', which is no hook",
        "did you mean 'kiwistack_components'",
    ),
    "a hook with another signature": (
        "@hookimpl\ndef kiwistack_rules(stack):\n    return []",
        "cannot be registered: PluginValidationError: ",
        "this is a mistake in the package that ships it",
    ),
    "attributes that raise": (
        "def __dir__():\n    raise RuntimeError('oh')",
        "cannot be registered: RuntimeError: oh",
        "this is a mistake in the package that ships it",
    ),
}


@pytest.mark.parametrize(("code", "message", "hint"), BROKEN_MODULES.values(), ids=BROKEN_MODULES)
def test_a_plugin_that_cannot_be_registered_is_named_and_leaves_nothing_behind(
    install: Install, plugins: Callable[[], Plugins], code: str, message: str, hint: str
) -> None:
    install("broken", f"{HELLO}\n@hookimpl\ndef kiwistack_emitters():\n    return [print]\n{code}\n")
    install("hello")
    host = plugins()
    for _ in range(2):
        found = problem(lambda: host.component("broken"))
        assert found.message.startswith("kiwi-component-broken 1.2.3 ")
        assert message in found.message
        assert hint in str(found.hint)
    assert host.component("hello").kind == "hello"
    assert host.emitters() == Plugins([]).emitters()


def test_an_entry_point_that_is_no_module_is_named(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello", entry="sample_hello:Hello")
    assert problem(lambda: plugins().component("hello")).message == (
        "entry point 'hello' of kiwi-component-hello 1.2.3 is no module: sample_hello:Hello"
    )


def test_two_packages_that_ship_one_kind_are_named(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello")
    install("hello", dist="another-hello", version="9")
    install("other")
    host = plugins()
    found = problem(lambda: host.component("hello"))
    assert found.message.startswith("two packages ship a component of kind 'hello': ")
    assert "kiwi-component-hello 1.2.3" in found.message
    assert "another-hello 9" in found.message
    assert found.hint == "uninstall one of them"
    assert host.component("other").kind == "other"


def test_one_package_that_is_found_twice_is_one(install: Install, tmp_path: Path) -> None:
    install("hello")
    twice = [*distributions(path=[str(tmp_path)])] * 2
    entries = [entry for item in twice for entry in item.entry_points]
    assert Plugins(entries).component("hello").kind == "hello"


def test_a_kind_that_nobody_ships_is_told_with_the_closest(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello")
    found = problem(lambda: plugins().component("helo"))
    assert found.message == "there is no component of kind 'helo'"
    assert found.hint == ("did you mean 'hello'?; or install the package that ships it (kiwi-component-helo?)")


def test_a_package_with_damaged_metadata_is_told_without_a_traceback(
    install: Install, plugins: Callable[[], Plugins], tmp_path: Path
) -> None:
    install("broken", "1 / 0")
    (tmp_path / "kiwi_component_broken-1.2.3.dist-info" / "METADATA").write_text("", "utf-8")
    assert (
        "an unknown distribution ? (sample_broken): ZeroDivision"
        in problem(lambda: plugins().component("broken")).message
    )


OFFER = """
from kiwi_core import Offer

class QueueOffer(Offer):
    kind = "queue"
"""


def test_a_loaded_plugin_brings_its_kinds_of_services(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello", hook("kiwistack_services", "return [QueueOffer]", OFFER))
    host = plugins()
    found = problem(lambda: host.offer("queue"))
    assert found.message == "no plugin offers services of kind 'queue'"
    assert str(found.hint).startswith("there are: bucket, ingress, ")
    host.component("hello")
    assert host.offer("queue").__name__ == "QueueOffer"
    assert host.offer("bucket") is BucketOffer


def test_two_plugins_with_offers_of_one_kind_are_named(install: Install, plugins: Callable[[], Plugins]) -> None:
    install("hello", hook("kiwistack_services", "return [QueueOffer]", OFFER))
    install("other", hook("kiwistack_services", "return [QueueOffer]", OFFER))
    host = plugins()
    host.component("hello")
    host.component("other")
    assert problem(lambda: host.offer("queue")).message == (
        "two plugins ship services of kind 'queue': kiwi-component-hello 1.2.3 and kiwi-component-other 1.2.3"
    )
    assert host.offer("bucket") is BucketOffer


def test_a_plugins_rules_and_emitters_stand_beside_the_cores(install: Install, plugins: Callable[[], Plugins]) -> None:
    code = (
        hook(
            "kiwistack_rules",
            "return [Rule(letter='aa', title='mine', check=lambda stack, evidence: [])]",
            "from kiwi_core.plugins import Rule",
        )
        + "\n@hookimpl\ndef kiwistack_emitters():\n    return [emit_mine]\ndef emit_mine(stack):\n    return {}\n"
    )
    install("hello", code)
    host = plugins()
    own = host.rules()
    host.component("hello")
    rules = host.rules()
    assert [rule.letter for rule in rules] == sorted([*(rule.letter for rule in own), "aa"])
    assert [getattr(emitter, "__name__", "") for emitter in host.emitters()][-1] == "emit_mine"
    assert host.emitters()[0] is emit_helmfile


def test_what_a_package_ships_stands_beside_its_module(install: Install, plugins: Callable[[], Plugins]) -> None:
    package = install("hello")
    (package / "charts" / "mine").mkdir(parents=True)
    (package / "charts" / "mine" / "Chart.yaml").write_text("name: mine\nversion: 4.5.6\n", "utf-8")
    packages = plugins().packages(["hello"])
    assert str(packages["hello"]) == "kiwi-component-hello 1.2.3"
    assert packages["hello"].charts["mine"].version == "4.5.6"
    assert packages[""].charts.keys() == {"kiwi-foundation", "kiwi-hooks", "kiwi-namespace"}


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("charts/mine/Chart.yaml", "name: mine\n", "this is no chart: it has no Chart.yaml with a version"),
        ("facts/charts/x.json", "{", "what kiwi-component-hello 1.2.3 ships cannot be read: "),
        ("facts/schemas/x.json", "[]", "what kiwi-component-hello 1.2.3 ships cannot be read: "),
    ],
)
def test_a_package_that_ships_broken_facts_is_named(
    install: Install, plugins: Callable[[], Plugins], path: str, content: str, message: str
) -> None:
    file = install("hello") / path
    file.parent.mkdir(parents=True)
    file.write_text(content, "utf-8")
    with pytest.raises(PluginError) as caught:
        plugins().packages(["hello"])
    assert all("kiwi-component-hello 1.2.3" in item.message for item in caught.value.problems)
    assert message in str(caught.value)


def test_the_list_of_what_is_installed_shows_the_broken_and_the_good(
    install: Install, plugins: Callable[[], Plugins]
) -> None:
    install("a-broken", "1 / 0")
    install("hello")
    install("z-hook", hook("kiwistack_components", "raise KeyError('x')"))
    found = {item.kind: item for item in plugins().installed()}
    assert list(found) == ["a-broken", "hello", "z-hook"]
    assert {item.distribution for item in found.values()} == {f"kiwi-component-{kind}" for kind in found}
    assert {item.version for item in found.values()} == {"1.2.3"}
    assert found["hello"].component is not None
    assert found["hello"].problem is None
    for kind, cause in (("a-broken", "ZeroDivisionError"), ("z-hook", "KeyError")):
        assert found[kind].component is None
        assert cause in str(found[kind].problem)
