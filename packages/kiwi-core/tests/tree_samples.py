"""What the tests of trees share: pins of every form, how a tree is read, and how it is compared with a golden one."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import cast

import attrs
import yaml
from kiwi_core._compose.stack import Stack
from kiwi_core._emit.helmfile import emit_helmfile
from kiwi_core._emit.summary import emit_summary
from kiwi_core._emit.tree import Tree, emit
from kiwi_core._model.pins import ChartPin, ImagePin, Pins

ACTION = re.compile(r'\{\{(?:"(?:\\.|[^"\\])*"|[^"])*?\}\}')
DIGEST = "sha256:" + "0123456789abcdef" * 4


def oci(name: str) -> ChartPin:
    return ChartPin(registry="registry.example", repository="charts", name=name, version="0.1.0")


PINS = Pins(
    charts={
        "kiwi-foundation": oci("kiwi-foundation"),
        "kiwi-namespace": oci("kiwi-namespace"),
        "kiwi-hooks": oci("kiwi-hooks"),
        "own": attrs.evolve(oci("own"), digest=DIGEST, verify=True),
        "pg": ChartPin(registry="https://charts.example", repository="stable", name="postgresql", version="v16.2.1"),
        "cache": ChartPin(registry="https://charts.example/stable", name="redis", version="7.0.0"),
        "unused": oci("unused"),
    },
    images={
        "tool": ImagePin(registry="docker.io", repository="library/tool", tag=f"1.0@{DIGEST}"),
        "web": ImagePin(registry="ghcr.io", repository="acme/web", tag="v2"),
        "unused": ImagePin(registry="docker.io", repository="unused", tag="1"),
    },
)


def whole(stack: Stack) -> Tree:
    return emit(stack, (emit_helmfile, emit_summary))


def helmfile(tree: Tree) -> list[dict[str, object]]:
    """The documents of the helmfile, with a text in the place of each action."""
    written = ACTION.sub("ACTION", tree["helmfile.yaml.gotmpl"].decode())
    return list(yaml.safe_load_all(written))


def releases(tree: Tree) -> dict[str, dict[str, object]]:
    found = cast("list[dict[str, object]]", helmfile(tree)[1]["releases"])
    return {str(item["name"]): item for item in found}


def compare(tree: Tree, folder: str) -> None:
    """Compare a tree with the golden one in a folder beside this file.

    ``KIWISTACK_UPDATE_GOLDEN=1`` writes the golden one anew first; read the difference before it is committed.
    """
    golden = Path(__file__).parent / folder
    if os.environ.get("KIWISTACK_UPDATE_GOLDEN"):
        shutil.rmtree(golden, ignore_errors=True)
        for path, content in tree.items():
            (golden / path).parent.mkdir(parents=True, exist_ok=True)
            (golden / path).write_bytes(content)
    found = {path.relative_to(golden).as_posix(): path for path in golden.rglob("*") if path.is_file()}
    assert sorted(tree) == sorted(found)
    for path, content in tree.items():
        assert content.decode() == found[path].read_text("utf-8"), path
