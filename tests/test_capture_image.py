"""``kiwistack component capture schema`` and a real registry: Onyx's history, out of images that were pushed there."""

from __future__ import annotations

import base64
import itertools
import json
import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import pytest
from kiwi_component_onyx import Onyx
from kiwi_core import BucketOffer, ExistingServices, PostgresOffer, SecretKey
from kiwi_core._contract.results import Outcome
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.capture_json import dump_schema, load_schema
from kiwi_core._model.revisions import closure
from kiwi_core.cli import main
from kiwi_core.testing import trial
from testbed.registry import USER, Registry

pytestmark = pytest.mark.real_server

ONYX = load_schema((resources.files("kiwi_component_onyx") / "facts" / "schemas" / "onyx-backend.json").read_bytes())
FLOW = "f220515df7b4"
"""The revision that creates the table llm_model_flow."""
FOLDER = "app/alembic/versions"
BASE = {
    "etc/os-release": b"ID=test\n",
    "usr/lib/python3/site-packages/other/migrations/1.py": b"revision = 'm'\ndown_revision = None\n",
    f"{FOLDER}/draft.py": b"revision = 'draft'\ndown_revision = None\n",
}
ADMIN = SecretKey("admin", "password")
SERVICES = ExistingServices(
    postgres=PostgresOffer(host="pg", admin=ADMIN),
    bucket=BucketOffer(endpoint_url="http://s3:9000", admin_user="admin", admin=ADMIN),
)
NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


@pytest.fixture
def repository() -> str:
    return f"hub{next(NUMBERS)}/onyxdotapp/onyx-backend"


def revisions(tag: str) -> Mapping[str, bytes]:
    """The revision files that Onyx's image of a tag carries: their docstrings lie, and none may ever run."""
    found: dict[str, bytes] = {}
    for name in sorted(closure(ONYX.tags[tag], ONYX.revisions)):
        (parent,) = ONYX.revisions[name] or (None,)
        text = f'"""Revision ID: {name[::-1]}\n\nRevises: {FLOW}\n"""\nraise SystemExit("this was run")\n'
        found[f"{FOLDER}/{name}_x.py"] = f"{text}revision = {name!r}\ndown_revision = {parent!r}\n".encode()
    return found


def push(registry: Registry, repository: str, tag: str, *, files: Mapping[str, bytes] | None = None) -> str:
    """Push an image of three layers: a base with somebody else's revisions, the application, and what it took back."""
    application = {"app/alembic.ini": b"[alembic]\nscript_location = alembic\n", **(files or revisions(tag))}
    taken_back = {f"{FOLDER}/.wh.draft.py": b""}
    return registry.push_layers(repository, tag, layers=[BASE, application, taken_back])


def capture(*words: str, out: Path) -> int:
    return main(["component", "capture", "schema", *words, "--image", "onyxdotapp/onyx-backend", "--out", str(out)])


def read(out: Path) -> SchemaCapture:
    return load_schema((out / "schemas" / "onyx-backend.json").read_bytes())


def test_onyx_images_are_captured_one_by_one(
    registry: Registry, repository: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = {tag: push(registry, repository, tag) for tag in ("v2.11.4", "v2.12.0")}
    name = f"{registry.host}/{repository}"
    assert capture(f"{name}:v2.12.0", out=tmp_path) == 0
    assert capture(f"{name}:v2.11.4@{digests['v2.11.4']}", "--folder", f"/{FOLDER}", out=tmp_path) == 0
    assert f"v2.11.4 ends at {ONYX.tags['v2.11.4'][0]} ({name} /{FOLDER})" in capsys.readouterr().out
    found = read(tmp_path)
    assert found.tags == {tag: ONYX.tags[tag] for tag in digests}
    assert found.digests == {digest: tag for tag, digest in digests.items()}
    assert list(found.revisions) == list(ONYX.revisions)[: len(found.revisions)]
    assert [found.has(tag, FLOW) for tag in digests] == [False, True]
    assert found.first_tag_with(FLOW) == "v2.12.0"


def test_an_image_adds_to_the_history_that_is_shipped(registry: Registry, repository: str, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "onyx-backend.json").write_bytes(dump_schema(ONYX))
    newest = {**revisions("v4.6.1"), f"{FOLDER}/new.py": b"revision = 'new'\ndown_revision = '3350a25df58e'\n"}
    digest = push(registry, repository, "v4.7.0", files=newest)
    assert capture(f"{registry.host}/{repository}:v4.7.0", out=tmp_path) == 0
    found = read(tmp_path)
    assert len(found.tags) == len(ONYX.tags) + 1
    assert (found.tags["v4.7.0"], found.digests) == (("new",), {digest: "v4.7.0"})
    assert found.first_tag_with(FLOW) == "v2.12.0"
    assert ONYX.source in found.source


def test_the_command_that_an_unproven_result_gives_makes_it_provable(
    registry: Registry, repository: str, tmp_path: Path
) -> None:
    prefix = repository.partition("/")[0]
    digest = push(registry, repository, "v4.9.0", files=revisions("v2.11.4"))
    pinned = {"onyxBackend": f"docker.io/onyxdotapp/onyx-backend:v4.9.0@{digest}"}
    results = [found for found in trial(Onyx(), SERVICES, images=pinned).results if found.rule == "g"]
    (fix,) = [found.fix for found in results if found.outcome is Outcome.UNPROVEN and "v4.9.0" in found.message]
    assert fix is not None
    words = shlex.split(fix.replace("<package>", str(tmp_path)))
    assert words[:4] == ["kiwistack", "component", "capture", "schema"]
    assert main([*words[1:], "--mirror", f"docker.io={registry.host}/{prefix}"]) == 0
    found = read(tmp_path / "facts")
    assert found.image == "onyxdotapp/onyx-backend"
    assert found.tag_of("v4.9.0", digest) == "v4.9.0"
    assert found.has("v4.9.0", FLOW) is False


def test_a_layer_that_was_damaged_where_it_is_kept_is_named(
    registry: Registry, repository: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {**revisions("v2.9.0"), "app/mark": repository.encode()}  # of a layer that no other test has
    digest = push(registry, repository, "v2.9.0", files=files)
    manifest = json.loads(registry.get(f"/v2/{repository}/manifests/{digest}"))
    layer = manifest["layers"][1]["digest"]
    path = registry.blob(layer)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert capture(f"{registry.host}/{repository}:v2.9.0", out=tmp_path) == 3
    assert f"layer 2 of 3 ({layer}): it is damaged: found sha256:" in capsys.readouterr().err
    assert not (tmp_path / "schemas").exists()


def test_an_entry_that_leads_out_of_the_image_is_refused(
    registry: Registry, repository: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    escape = f"../../{tmp_path}/escaped.py"
    registry.push_layers(repository, "v1.0.0", layers=[BASE, {escape: b"x = 1\n"}])
    assert capture(f"{registry.host}/{repository}:v1.0.0", out=tmp_path) == 2
    assert "layer 2 of 2 (sha256:" in (said := capsys.readouterr().err)
    assert "does not lie in the image" in said
    assert [path for path in tmp_path.rglob("*") if path.name == "escaped.py"] == []


def test_layers_that_are_not_packed_are_read(registry: Registry, repository: str, tmp_path: Path) -> None:
    registry.push_layers(repository, "v2.9.0", layers=[revisions("v2.9.0")], packed=False)
    assert capture(f"{registry.host}/{repository}:v2.9.0", out=tmp_path) == 0
    assert read(tmp_path).tags == {"v2.9.0": ONYX.tags["v2.9.0"]}


@pytest.mark.parametrize("tag", ["v9.9.9", f"v1.0.0@sha256:{'0' * 64}"])
def test_an_image_that_is_not_there_is_told(
    tag: str, registry: Registry, repository: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.push_layers(repository, "v1.0.0", layers=[BASE])
    assert capture(f"{registry.host}/{repository}:{tag}", out=tmp_path) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_registry_that_wants_a_login_is_given_it_and_nobody_else(
    closed_registry: Registry, repository: str, docker_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push(closed_registry, repository, "v2.9.0")
    name = f"{closed_registry.host}/{repository}:v2.9.0"
    assert capture(name, out=tmp_path) == 3
    assert f"docker login {closed_registry.host}" in capsys.readouterr().err
    auth = base64.b64encode(":".join(USER).encode()).decode()
    docker_config.write_text(json.dumps({"auths": {closed_registry.host: {"auth": auth}}}))
    assert capture(name, out=tmp_path) == 0
    said = capsys.readouterr()
    written = (tmp_path / "schemas" / "onyx-backend.json").read_text()
    for secret in (auth, USER[1]):
        assert secret not in said.out + said.err + written
    assert read(tmp_path).tags == {"v2.9.0": ONYX.tags["v2.9.0"]}
