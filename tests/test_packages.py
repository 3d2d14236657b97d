"""What holds for every package: what it imports, exports, ships and tells its users."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import cast

import kiwi_core
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    path.parent for folder in ("packages", "examples") for path in ROOT.glob(f"{folder}/*/pyproject.toml")
)
PUBLISHED = [package for package in PACKAGES if package.parent.name == "packages"]
COMPONENTS = [package for package in PACKAGES if package.name != "kiwi-core"]
PUBLIC_OF_CORE = ("kiwi_core", "kiwi_core.errors", "kiwi_core.plugins", "kiwi_core.testing")
PUBLIC = [*PUBLIC_OF_CORE, *(package.name.replace("-", "_") for package in COMPONENTS)]


def name_of(package: Path) -> str:
    return package.name


def from_core(source: str) -> set[str]:
    """The modules of kiwi_core that a source imports from, private members as modules of their own."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            private = {f"{node.module}.{alias.name}" for alias in node.names if alias.name.startswith("_")}
            names |= {node.module, *private}
    return {name for name in names if name.split(".")[0] == "kiwi_core"}


def defined(source: str) -> set[str]:
    """The public names that a module makes itself: functions, classes, constants, type aliases."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case _:
                pass
    # Hook implementations are found by pluggy, never imported by name.
    return {name for name in names if not name.startswith(("_", "kiwistack_"))}


def in_order(name: str) -> tuple[int, str]:
    """The order of ``__all__``: constants, classes, the rest, as ruff sorts it (RUF022)."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", COMPONENTS, ids=name_of)
def test_a_component_imports_only_what_is_public_of_the_core(package: Path) -> None:
    sources = [*package.rglob("src/**/*.py"), *package.rglob("tests/**/*.py")]
    assert sources
    used = {name: path.name for path in sources for name in from_core(path.read_text(encoding="utf-8"))}
    assert {name: place for name, place in used.items() if name not in PUBLIC_OF_CORE} == {}


def test_an_import_of_what_is_private_is_seen() -> None:
    source = "import kiwi_core._spec\nfrom kiwi_core._model import Tenant\nfrom kiwi_core import _emit\n"
    assert from_core(source) - {*PUBLIC_OF_CORE} == {"kiwi_core._spec", "kiwi_core._model", "kiwi_core._emit"}


@pytest.mark.parametrize("module", PUBLIC)
def test_all_is_sorted_and_agrees_with_what_is_there(module: str) -> None:
    loaded = importlib.import_module(module)
    exported = cast("list[str]", loaded.__all__)
    assert exported == sorted(exported, key=in_order)
    assert [name for name in exported if not hasattr(loaded, name)] == []
    assert loaded.__file__ is not None
    assert defined(Path(loaded.__file__).read_text(encoding="utf-8")) <= set(exported)


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_package_says_that_it_is_typed_and_for_which_pythons(package: Path) -> None:
    manifest = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = {line for line in workspace["classifiers"] if line.startswith("Programming Language")}
    assert pythons <= set(manifest["classifiers"])
    assert manifest["requires-python"] == workspace["requires-python"]
    assert (package / "src" / package.name.replace("-", "_") / "py.typed").exists()


def test_the_core_tells_the_version_of_its_distribution() -> None:
    manifest = tomllib.loads((ROOT / "packages" / "kiwi-core" / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert kiwi_core.__version__ == manifest["version"]


@pytest.mark.parametrize("package", COMPONENTS, ids=name_of)
def test_a_component_has_a_floor_and_a_ceiling_on_the_core(package: Path) -> None:
    manifest = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (core,) = (line for line in manifest["dependencies"] if line.startswith("kiwi-core"))
    assert re.fullmatch(r"kiwi-core>=[\d.]+,<[\d.]+", core)


@pytest.mark.parametrize("package", PUBLISHED, ids=name_of)
def test_a_package_ships_the_licence_of_the_workspace(package: Path) -> None:
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("package", PUBLISHED, ids=name_of)
def test_a_fragment_of_news_has_a_name_and_a_kind_that_the_changelog_knows(package: Path) -> None:
    manifest = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    kinds = "|".join(kind["directory"] for kind in manifest["tool"]["towncrier"]["type"])
    names = {path.name for path in (package / "changes").iterdir()} - {"README.md"}
    assert {name for name in names if not re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({kinds})\.md", name)} == set()


def test_the_lock_holds_no_package_of_the_workspace_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert {package.name for package in PACKAGES} & set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) == set()
    assert "://" not in lock
    assert "--index-url" not in lock
