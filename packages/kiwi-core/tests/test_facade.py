"""The façade: what it lists, what it loads lazily and what a type checker sees are one and the same."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import cast

import kiwi_core
import pytest
from kiwi_core import plugins
from kiwi_core.errors import ExternalError

PUBLIC = ("kiwi_core", "kiwi_core.errors", "kiwi_core.plugins", "kiwi_core.testing")
ROOT = Path(str(kiwi_core.__file__)).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


def seen_by_type_checkers(module: str) -> dict[str, str]:
    """The names that a module imports for type checkers alone, with the modules that they come from."""
    source = Path(str(importlib.import_module(module).__file__)).read_text("utf-8")
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    found[alias.asname or alias.name] = str(statement.module)
    return found


def test_a_type_checker_sees_what_is_listed_and_what_is_loaded() -> None:
    seen = seen_by_type_checkers("kiwi_core")
    assert sorted(seen) == kiwi_core.__all__
    homes = cast("dict[str, str]", vars(kiwi_core)["_HOMES"])
    assert seen == {name: f"kiwi_core.{home}" for name, home in homes.items()}


def test_every_name_is_exported_by_the_module_that_it_comes_from() -> None:
    for name, home in seen_by_type_checkers("kiwi_core").items():
        module = importlib.import_module(home)
        assert getattr(kiwi_core, name) is getattr(module, name)
        assert name in module.__all__


CLIENTS = {"psycopg", "pymysql", "minio", "urllib3"}


@pytest.mark.parametrize("module", PUBLIC)
def test_what_a_public_module_lists_is_sorted_and_there(module: str) -> None:
    found = importlib.import_module(module)
    assert sorted(set(found.__all__)) == found.__all__
    for name in found.__all__:
        assert getattr(found, name) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_module_lists_is_there(path: Path) -> None:
    names = listed(path.read_text("utf-8"))
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    try:
        module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    except ModuleNotFoundError as error:
        if error.name not in CLIENTS:
            raise
        pytest.skip(f"{error.name} is not installed: the extra kiwi-core[hooks] brings it")
    except ExternalError as error:
        if "kiwi-core[hooks]" not in str(error):
            raise
        pytest.skip(str(error))
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(module, name)] == []


def listed(source: str) -> list[str]:
    """The names in a module's ``__all__``, and in what is added to it."""
    names: list[str] = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                names += cast("list[str]", ast.literal_eval(value))
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
                names += cast("list[str]", ast.literal_eval(value))
            case _:
                pass
    return names


def test_completion_shows_what_is_listed() -> None:
    assert set(dir(kiwi_core)) == {*kiwi_core.__all__, "__version__"}


@pytest.mark.parametrize("module", [kiwi_core, plugins], ids=lambda module: module.__name__)
def test_a_name_that_is_not_there_is_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Onix'"):
        _ = module.Onix  # type: ignore[attr-defined]  # the mistake


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = (
        "import sys, kiwi_core\n"
        "loaded = [name for name in sys.modules if name.startswith('kiwi_core.')]\n"
        "heavy = [name for name in ('attrs', 'attr', 'yaml', 'pluggy', 'cattrs', 'importlib.metadata', 'subprocess') "
        "if name in sys.modules]\n"
        "assert not loaded + heavy, loaded + heavy\n"
        "kiwi_core.text\n"
        "assert 'kiwi_core._model.late' in sys.modules\n"
        "assert 'kiwi_core._model.tenant' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
