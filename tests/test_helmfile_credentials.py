"""Credentials in the hands of the real helmfile and Helm: they come to what Python derives, handed over or not."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import cast

import pyrage
import pytest
from kiwi_core import Value
from kiwi_core import _engine as engine
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.values import get
from kiwi_core._deliver.handover import hand_over
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import evaluate
from kiwi_core._derive.lock import dump_lock, lock_of
from kiwi_core._derive.password import Seed
from kiwi_core._derive.taint import Tainted
from kiwi_core._model.late import Late
from trees import EXAMPLES, SEED, kiwistack, objects, stub_values, with_stub_charts
from trees import helmfile as run

pytestmark = pytest.mark.real_server

SMALL = """\
from kiwi_component_hello import Hello
from kiwi_core import Tenant

tenant = Tenant(
    slug="acme", domain="acme.example", cluster="core-1", components=(Hello(),), GENERATIONS
)
"""


@pytest.fixture(scope="module")
def stubbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    examples = with_stub_charts(tmp_path_factory.mktemp("stubbed") / "examples")

    @cache
    def build(name: str) -> Path:
        kiwistack("build", examples / name)
        return examples / name

    return build


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A customer with one credential, whose every chart is a package's own."""
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES, examples, ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    (examples / "cust-acme" / "tenant.py").write_text(SMALL.replace("GENERATIONS", ""), encoding="utf-8")
    return examples / "cust-acme"


def secrets_in(manifests: str) -> Mapping[str, Mapping[str, str]]:
    """The Secrets of manifests, decoded."""
    return {
        cast("dict[str, str]", item["metadata"])["name"]: {
            key: base64.b64decode(value).decode() for key, value in cast("dict[str, str]", item["data"]).items()
        }
        for item in objects(manifests)
        if item["kind"] == "Secret" and "data" in item
    }


def expected(stack: Stack, seed: str) -> tuple[Mapping[str, Mapping[str, str]], Mapping[tuple[str, str], str]]:
    """What Python derives: the Secrets, and the plain values by release and path."""
    derived = derive_all(Seed(seed), stack.credentials)

    def come_to(value: Value) -> str:
        assert isinstance(value, str | Late)
        return evaluate(value, derived, stack.pins)

    secrets = {
        secret.name: {key: come_to(value) for key, value in secret.data.items()}
        for part in stack.parts.values()
        for secret in part.wiring.secrets
    }
    plain = {
        (item.release, item.path): come_to(get(stack.by_name[item.release].values, tuple(item.path.split("."))))
        for part in stack.parts.values()
        for item in part.wiring.plain
    }
    return secrets, plain


@pytest.mark.parametrize("name", ["cust-kiwistack", "core-1"])
def test_helm_comes_to_what_python_derives_and_what_is_handed_over(
    helmfile: Path, helm: Path, stubbed: Callable[[str], Path], name: str
) -> None:
    repo = stubbed(name)
    stack = engine.load(repo).stack
    rendered = run(helmfile, helm, repo / "generated", "template", seed=SEED).stdout
    secrets, plain = expected(stack, SEED)
    found = secrets_in(rendered)
    assert {secret: found[secret] for secret in secrets} == secrets
    assert len(secrets) > 3
    trees = {release: stub_values(rendered, release) for release, _ in plain}
    assert {
        (release, path): get(cast("Value", trees[release]), tuple(path.split("."))) for release, path in plain
    } == plain
    handed = {variable: value.reveal() for variable, value in hand_over(stack, Seed(SEED), {}).variables.items()}
    assert objects(run(helmfile, helm, repo / "generated", "template", handed=handed).stdout) == objects(rendered)


@pytest.mark.parametrize("version", ["helm", "helm3"])
@pytest.mark.parametrize("generation", [1, 2, 4294967295])
def test_a_rotated_credential_is_the_same_on_both_sides(
    request: pytest.FixtureRequest, helmfile: Path, small: Path, generation: int, version: str
) -> None:
    text = SMALL.replace("GENERATIONS", f'generations={{"hello/token": {generation}}}')
    (small / "tenant.py").write_text(text, encoding="utf-8")
    kiwistack("build", small)
    rendered = run(helmfile, request.getfixturevalue(version), small / "generated", "template", seed=SEED).stdout
    assert secrets_in(rendered)["hello"] == expected(engine.load(small).stack, SEED)[0]["hello"]


def test_a_wrong_seed_fails_before_anything_is_rendered(helmfile: Path, helm: Path, small: Path) -> None:
    stack = engine.load(small).stack
    (small / "secrets.lock").write_bytes(dump_lock(lock_of(Seed(SEED), stack.credentials)))
    kiwistack("build", small)
    out = small / "generated"
    assert len(objects(run(helmfile, helm, out, "template", seed=SEED).stdout)) > 3
    assert "hello" in run(helmfile, helm, out, "list").stdout
    done = run(helmfile, helm, out, "template", seed="another seed", check=False)
    assert done.returncode != 0
    assert "this is not the seed of secrets.lock" in done.stderr
    assert "another seed" not in done.stderr
    assert objects(done.stdout) == []


def test_another_seed_in_the_lock_restarts_the_consumers(helmfile: Path, helm: Path, small: Path) -> None:
    marks: list[object] = []
    for seed in (SEED, SEED[::-1]):
        stack = engine.load(small).stack
        (small / "secrets.lock").write_bytes(dump_lock(lock_of(Seed(seed), stack.credentials)))
        kiwistack("build", small)
        rendered = objects(run(helmfile, helm, small / "generated", "template", seed=seed).stdout)
        (deployment,) = (item for item in rendered if item["kind"] == "Deployment")
        marks.append(
            get(cast("Value", deployment), ("spec", "template", "metadata", "annotations", "checksum/secrets"))
        )
    assert len(set(marks)) == 2


def test_an_external_is_decrypted_by_plain_helmfile_or_handed_over(
    helmfile: Path, helm: Path, age: Path, tmp_path: Path
) -> None:
    examples = with_stub_charts(tmp_path / "examples")
    cluster = examples / "core-1"
    model = 'LiteLlm(models=(Model(name="chat", provider_model="mistral/large", credential="MISTRAL_API_KEY"),))'
    text = (cluster / "cluster.py").read_text(encoding="utf-8")
    text = text.replace("LiteLlm(),", f"{model},").replace("LiteLlm, SearXng", "LiteLlm, Model, SearXng")
    (cluster / "cluster.py").write_text(text, encoding="utf-8")
    identity, keys = tmp_path / "identity", pyrage.x25519.Identity.generate()
    identity.touch(0o600)
    identity.write_text(f"{keys}\n", encoding="utf-8")
    settings = cluster / "kiwi.toml"
    recipients = f'\n[secrets]\nrecipients = ["{keys.to_public()}"]\n'
    settings.write_text(settings.read_text(encoding="utf-8") + recipients, encoding="utf-8")
    assert subprocess.run([sys.executable, "-m", "kiwi_core", "build", cluster], check=False).returncode == 1
    key = 'a key with "quotes" and {{ braces }}'
    words = ("secrets", "seal", "mistral-api-key", str(cluster))
    subprocess.run([sys.executable, "-m", "kiwi_core", *words], input=key, text=True, check=True)
    kiwistack("build", cluster)
    out = cluster / "generated"
    assert not any(key.encode() in path.read_bytes() for path in out.rglob("*") if path.is_file())
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "age").symlink_to(age)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "KIWISTACK_AGE_IDENTITY": str(identity)}
    plain = run(helmfile, helm, out, "template", seed=SEED, handed=environment).stdout
    assert secrets_in(plain)["litellm-model-keys"] == {"MISTRAL_API_KEY": key}
    stack = engine.load(cluster).stack
    handed = hand_over(stack, Seed(SEED), {"mistral-api-key": Tainted(key, "external")}).variables
    values = {variable: value.reveal() for variable, value in handed.items()}
    assert objects(run(helmfile, helm, out, "template", handed=values).stdout) == objects(plain)
