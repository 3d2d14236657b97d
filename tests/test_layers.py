"""A module of kiwi_core imports its own layer and those above it in the list, never one below."""

from __future__ import annotations

import ast
from importlib.util import resolve_name
from pathlib import Path

import pytest

LAYERS = (
    ("errors",),
    ("_model",),
    ("_derive",),
    ("_spec",),
    ("_hooks",),
    ("_compose",),
    ("_contract",),
    ("_emit",),
    ("_deliver",),
    ("__init__",),  # the façade: `kiwi_core` itself
    ("plugins", "_builtin"),  # what finds plugins, and the plugin that is built in
    ("_engine",),  # the one way through: load, compose, check, emit
    ("testing",),
    ("cli", "__main__"),
)
DEPTHS = {name: depth for depth, names in enumerate(LAYERS) for name in names}
PACKAGE = "kiwi_core"
SOURCE = Path(__file__).parent.parent / "packages" / "kiwi-core" / "src" / PACKAGE
MODULES = sorted(SOURCE.rglob("*.py"))


def layer_of(module: str) -> str:
    """The layer of a dotted name, e.g. ``_spec`` for ``kiwi_core._spec.toml``."""
    return [*module.split("."), "__init__"][1]


def imported(source: str, module: str, *, is_package: bool, root: Path = SOURCE) -> set[str]:
    """The dotted names that a module imports, at its top, in a function, for types only, or by import_module."""
    parent = module if is_package else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                origin = resolve_name("." * node.level + (node.module or ""), parent)
                members = {f"{origin}.{alias.name}" for alias in node.names}
                submodules = {name for name in members if is_module(name, root)}
                names |= submodules
                if len(submodules) < len(members):
                    names.add(origin)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).endswith("import_module"):
                names.add(resolve_name(name, parent))
            case _:
                pass
    return names


def is_module(name: str, root: Path) -> bool:
    """Whether a dotted name below the package is a module rather than something in one."""
    place = root.parent.joinpath(*name.split("."))
    return name.startswith(f"{PACKAGE}.") and (place.is_dir() or place.with_suffix(".py").is_file())


def breaches(names: set[str], module: str) -> list[str]:
    """What a module imports that it must not."""
    own = DEPTHS[layer_of(module)]
    inner = {name for name in names if name.split(".")[0] == PACKAGE}
    found = [f"{module} imports {name}, a layer below" for name in inner if DEPTHS[layer_of(name)] > own]
    if any(name.split(".")[0] == "pluggy" for name in names) and layer_of(module) != "plugins":
        found.append(f"{module} imports pluggy: that is for plugins.py alone")
    return sorted(found)


def name_of(path: Path) -> str:
    parts = [PACKAGE, *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_module_stands_in_a_layer() -> None:
    assert MODULES
    assert {layer_of(name_of(path)) for path in MODULES} <= DEPTHS.keys()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_no_layer_below_its_own(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert breaches(imported(source, name_of(path), is_package=path.stem == "__init__"), name_of(path)) == []


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from kiwi_core import cli", "kiwi_core._model.tenant"),
        ("from kiwi_core import Tenant", "kiwi_core._spec.toml"),
        ("import kiwi_core", "kiwi_core._spec.toml"),
        ("import kiwi_core._emit.helmfile", "kiwi_core._spec.toml"),
        ("from .._emit import helmfile", "kiwi_core._spec.toml"),
        ("from ..plugins import find", "kiwi_core._compose.bind"),
        ("def load():\n    from kiwi_core._deliver import disk", "kiwi_core._emit.files"),
        ("if TYPE_CHECKING:\n    from kiwi_core._model import Tenant", "kiwi_core.errors"),
        ("import importlib\nimportlib.import_module('kiwi_core.cli')", "kiwi_core.plugins"),
        ("from pluggy import HookimplMarker", "kiwi_core._contract.rules"),
        ("import pluggy", "kiwi_core.testing"),
    ],
)
def test_an_import_of_a_layer_below_is_seen(source: str, module: str) -> None:
    assert len(breaches(imported(source, module, is_package=False), module)) == 1


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from kiwi_core.errors import KiwiError", "kiwi_core._model.tenant"),
        ("from ._parser import parse", "kiwi_core._spec.toml"),
        ("from kiwi_core._model import Tenant", "kiwi_core.cli.main"),
        ("import pluggy", "kiwi_core.plugins"),
        ("import attrs, kiwi_core_elsewhere", "kiwi_core.errors"),
    ],
)
def test_an_import_of_ones_own_layer_or_one_above_is_allowed(source: str, module: str) -> None:
    assert breaches(imported(source, module, is_package=False), module) == []
