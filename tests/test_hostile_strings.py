"""Strings reach Helm exactly as meant, through the real helmfile, wherever they stand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiwi_core import Pin, Text, Value, text
from kiwi_core._emit.writing import yaml_text
from kiwi_core._model.pins import ImagePin
from trees import SEED, stub_chart, stub_values
from trees import helmfile as run

pytestmark = pytest.mark.real_server

HOSTILE = [
    # numbers, in one reader's eyes or another's
    "1e3", "12e45", "1E5", "0o17", "017", "08", "09", "0x1F", "0b11", "1_000", "+1", "-0", "1.10", "1.", ".5", "1.0e+3",
    ".inf", "-.Inf", ".NaN", "Infinity", "9007199254740993", "123456789012345678901234567890", "4e2a9c1", "1234567",
    "000123", "1234567890123456789012345678901234567890", "190:20:30", "12:30:45", "1:1",
    # booleans, nulls and dates
    "y", "n", "Y", "N", "yes", "no", "on", "off", "Yes", "NO", "On", "true", "True", "TRUE", "false", "null", "Null",
    "~", "", "2001-01-01", "2001-12-14t21:59:43.10-05:00", "<<", "=",
    # templates
    "{{ fail }}", "{{", "}}", "{{{{", "{{{", "{ {", "{{- /* x */ -}}", "{{ .Values }}", "{{`", "`", "```", "{% raw %}",
    "$HOME", "${HOME}", "$(id)", "%s %d %%", "\\{{", "\\", "\\\\", "\\n", '"', "'", "''", '\\"', "#", "# no comment", ": ", "- a",
    "key: value", "- ", "? ", "|", ">", "|-", "*alias", "&anchor", "!tag", "!!str x", "@", "%", "---", "...", "[", "]",
    "{", "}", ",", "[a, b]", "{a: b}",
    # what helmfile itself looks for in values
    "ref+echo://x", "secretref+echo://x", "ref+file:///etc/passwd", "xref+", "ref+", "vals",
    # white space and letters
    " ", "  leading", "trailing  ", "\t", "tab\there", "line\nbreak", "\n", "\r\n", "\r", "a\u2028b", "a\u2029b", "\ufeff",
    "a\x85b", "\x7f", "\x9f", "\u00a0", "\u200b", "\u202e", "\x00", "\x01", "\x1b[31m", "\x08\x0c", "é", "ß", "日本", "\U0001f600",
    "e\u0301", "\ufffe", "\uffff", "\ud7ff", "\ue000", "\U0010ffff", "<&>", "\u003c", "a" * 5000,
]  # fmt: skip

# What an action prints goes through Go's toJson, which leaves these as they are, and YAML refuses them; and helmfile
# looks for "ref+" in what was printed. No pin and no derived value can hold one: the model refuses such a pin.
UNPRINTABLE = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff]|ref\\+")
PRINTABLE = [item for item in HOSTILE if not UNPRINTABLE.search(item)]

# A Secret's, ConfigMap's or map's key may be any text for Helm; an empty one is dropped by nobody.
KEYS = [text for text in HOSTILE if len(text) < 1000]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    stub_chart(folder / "stub")
    (folder / "helmfile.yaml.gotmpl").write_text(
        "environments:\n  default:\n    values: [images.yaml]\n---\n"
        "releases:\n- name: probe\n  namespace: cust-probe\n  chart: ./stub\n"
        "  values: [values.yaml.gotmpl, overlay.yaml]\n",
        encoding="utf-8",
    )
    return folder


def through_helm(
    place: Path,
    helmfile: Path,
    helm: Path,
    *,
    values: Mapping[str, Value] | None = None,
    overlay: Mapping[str, Value] | None = None,
    pins: Mapping[str, str] | None = None,
) -> Mapping[str, Value]:
    """Return the values that a template of the chart is given."""
    images = {name: {"registry": registry, "repository": "r", "tag": "t"} for name, registry in (pins or {}).items()}
    (place / "images.yaml").write_bytes(yaml_text({"images": images}))
    (place / "values.yaml.gotmpl").write_bytes(yaml_text(values or {}))
    (place / "overlay.yaml").write_bytes(yaml_text(overlay or {}))
    found = stub_values(run(helmfile, helm, place, "template", seed=SEED).stdout, "probe")
    assert isinstance(found, dict)
    return cast("Mapping[str, Value]", found)


def numbered(texts: Sequence[str]) -> dict[str, Value]:
    return {f"k{index}": text for index, text in enumerate(texts)}


def test_there_are_at_least_sixty_of_them() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_as_value_list_item_and_key(request: pytest.FixtureRequest, place: Path, helmfile: Path, version: str) -> None:
    tree: dict[str, Value] = {
        "value": numbered(HOSTILE),
        "list": [*HOSTILE],
        "nested": [[*HOSTILE], {"in": [{"a": item} for item in HOSTILE]}],
        "key": dict.fromkeys(KEYS, "x"),
    }
    assert through_helm(place, helmfile, request.getfixturevalue(version), values=tree) == tree


def test_in_the_overlay(place: Path, helmfile: Path, helm: Path) -> None:
    tree: dict[str, Value] = {"value": numbered(HOSTILE), "list": [*HOSTILE], "key": dict.fromkeys(KEYS, "x")}
    assert through_helm(place, helmfile, helm, overlay=tree) == tree


def test_as_pin_and_as_the_name_of_a_pin(place: Path, helmfile: Path, helm: Path) -> None:
    pins = {f"p{index}": item for index, item in enumerate(PRINTABLE)} | dict.fromkeys(KEYS, "x")
    values: dict[str, Value] = {f"v{index}": Pin(name, "registry") for index, name in enumerate(pins)}
    values.update({f"r{index}": Pin(name, "reference") for index, name in enumerate(pins)})
    found = through_helm(place, helmfile, helm, values=values, pins=pins)
    assert found == {f"v{index}": item for index, item in enumerate(pins.values())} | {
        f"r{index}": f"{item}/r:t" for index, item in enumerate(pins.values())
    }


def test_in_a_text_beside_a_pin(place: Path, helmfile: Path, helm: Path) -> None:
    late = Pin("p", "tag")
    values: dict[str, Value] = {f"v{index}": Text((item, late, item)) for index, item in enumerate(HOSTILE)}
    found = through_helm(place, helmfile, helm, values=values, pins={"p": "x"})
    assert found == {f"v{index}": f"{item}t{item}" for index, item in enumerate(HOSTILE)}


def test_as_the_name_of_a_credential(place: Path, helmfile: Path, helm: Path) -> None:
    """Derivation takes scope and purpose as they are: two that differ in one letter give two values."""
    from kiwi_core import Credential

    names = [item for item in HOSTILE if 0 < len(item) < 100][::9]
    values: dict[str, Value] = {f"v{index}": Credential(name, name) for index, name in enumerate(names)}
    found = through_helm(place, helmfile, helm, values=values)
    assert len(set(found.values())) == len(names)
    assert all(isinstance(value, str) and len(value) == hashlib.sha1().digest_size * 2 for value in found.values())


def test_numbers_and_the_rest_of_json(place: Path, helmfile: Path, helm: Path) -> None:
    tree: dict[str, Value] = {
        "ints": [0, -1, 2**53, -(2**53), 8080],
        "floats": [0.5, -0.25, 1e-7, 1e22],
        "rest": [True, False, None, {}, [], {"a": {}}, {"b": []}],
    }
    assert through_helm(place, helmfile, helm, values=tree) == tree


def test_a_text_of_text_alone(place: Path, helmfile: Path, helm: Path) -> None:
    assert through_helm(place, helmfile, helm, values={"a": text("plain"), "b": text("")}) == {"a": "plain", "b": ""}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SYNTAX = st.text(st.sampled_from("{}`\"'\\:#-%$ \n\tref+<>|&*!?[],~=0179eoxyn"), max_size=20)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS | SYNTAX, min_size=100, max_size=150))
def test_any_text_at_all(place: Path, helmfile: Path, helm: Path, texts: list[str]) -> None:
    tree: dict[str, Value] = {"value": numbered(texts), "key": dict.fromkeys(texts, 1)}
    pins = {f"p{index}": item for index, item in enumerate(texts) if not UNPRINTABLE.search(item)}
    late: Value = {name: Pin(name, "registry") for name in pins}
    assert through_helm(place, helmfile, helm, values=tree | {"late": late}, overlay={"o": tree}, pins=pins) == (
        tree | {"late": pins, "o": tree}
    )


@pytest.mark.parametrize("registry", ["ref+echo://x", "a\x7fb", "{{ fail }}", "", "a b", "a\nb"])
def test_a_pin_that_an_engine_would_misread_is_refused(registry: str) -> None:
    with pytest.raises(ValueError, match="registry"):
        ImagePin(registry=registry, repository="r", tag="t")
