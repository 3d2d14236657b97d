"""The examples as a newcomer meets them: clean, the same everywhere, and true in every form."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from kiwi_core import _engine as engine
from kiwi_core.cli import main
from trees import EXAMPLES, kiwistack

CUSTOMER = EXAMPLES / "cust-kiwistack"

TENANT_TOML = """\
slug = "kiwistack"
domain = "kiwistack.example"
cluster = "core-1"

[[components]]
kind = "existing-services"

[components.postgres]
host = "postgresql"
admin = { secret = "postgresql", key = "postgres-password" }
pods = { "app.kubernetes.io/name" = "postgresql" }

[components.bucket]
endpoint_url = "http://minio:9000"
admin_user = "admin"
admin = { secret = "minio", key = "root-password" }
pods = { "app.kubernetes.io/name" = "minio" }

[components.oidc]
issuer = "https://id.{domain}/realms/kiwistack"
pods = { "app.kubernetes.io/name" = "keycloak" }

[[components]]
kind = "onyx"
replicas = 2
email_domains = ["kiwistack.example"]
"""

CLUSTER_TOML = """\
name = "core-1"
tier = "core"
pod_cidrs = ["10.244.0.0/16"]
service_cidrs = ["10.96.0.0/12"]
node_cidrs = ["192.0.2.0/24"]
ingress_addresses = ["198.51.100.10"]
apis = ["cert-manager.io"]

[[offers]]
kind = "ingress"
namespace = "kiwi-ingress"
pods = { "app.kubernetes.io/name" = "ingress-nginx", "app.kubernetes.io/component" = "controller" }
class_name = "nginx"
issuer = "letsencrypt"

[[offers]]
kind = "llm"
namespace = "kiwi-llm-gateway"
pods = { "app.kubernetes.io/name" = "litellm" }

[[offers]]
kind = "search"
namespace = "kiwi-search-gateway"
pods = { "app.kubernetes.io/name" = "searxng" }
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The examples, to be changed."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def findings(printed: str) -> list[dict[str, str]]:
    results = json.loads(printed)["results"]
    return [result for result in results if result["outcome"] == "finding"]


def test_dev_has_no_finding() -> None:
    assert findings(kiwistack("check", CUSTOMER, "--json")) == []


def test_the_cluster_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(EXAMPLES / "core-1")]) == 0
    assert "offers ingress, llm, search" in capsys.readouterr().out


def test_dogfood_wants_digests_and_nothing_else_and_its_commands_give_them(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer = str(copy / "cust-kiwistack")
    assert main(["check", customer, "--lane", "dogfood", "--json"]) == 1
    found = findings(capsys.readouterr().out)
    assert {result["rule"] for result in found} == {"c"}
    assert len(found) == 5
    assert all("has no digest" in result["message"] for result in found)
    images = copy / "od-platform" / "environments" / "dogfood" / "images.yaml"
    comment = "# what dogfood runs\n"
    images.write_text(comment + images.read_text(encoding="utf-8"), encoding="utf-8")
    for result in found:
        command, words = result["fix"].split(" ")[0], result["fix"].split(" ")[1:]
        assert command == "kiwistack"
        assert main([word.replace("<digest>", "0" * 64) for word in words]) == 0
    assert images.read_text(encoding="utf-8").startswith(comment)
    capsys.readouterr()
    assert main(["build", customer, "--lane", "dogfood"]) == 0
    written = files_in(copy / "cust-kiwistack" / "generated")
    assert not any(path.startswith("charts/") for path in written)
    assert b"oci://%s/%s" in written["helmfile.yaml.gotmpl"]
    assert not re.search(rb"v4\.6\.1|0\.8\.19", written["helmfile.yaml.gotmpl"] + written["values/onyx.yaml.gotmpl"])


def test_an_onyx_before_the_table_that_its_seed_needs_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer = str(copy / "cust-kiwistack")
    assert main(["pins", "bump", customer, "--image", "onyxBackend=v2.11.4"]) == 0
    assert main(["build", customer]) == 1
    shown = capsys.readouterr().out
    for text in ("f220515df7b4", "v2.12.0", "images.yaml:", "41fa44bef321"):
        assert text in shown
    assert not (copy / "cust-kiwistack" / "generated").exists()


def test_python_and_toml_give_equal_values(copy: Path) -> None:
    python = engine.load(copy / "cust-kiwistack").stack
    for spec, text in (("cust-kiwistack/tenant", TENANT_TOML), ("core-1/cluster", CLUSTER_TOML)):
        (copy / f"{spec}.py").unlink()
        (copy / f"{spec}.toml").write_text(text, encoding="utf-8")
    data = engine.load(copy / "cust-kiwistack").stack
    assert data.tenant == python.tenant
    assert data.inputs.cluster == python.inputs.cluster


def test_two_builds_on_two_machines_are_the_same(tmp_path: Path, copy: Path) -> None:
    """Another folder, home, time zone, hash seed, locale and seed in the environment; the same bytes."""
    one, other = tmp_path / "one", tmp_path / "two" / "deep"
    kiwistack("build", CUSTOMER, "--out", one)
    strange = {
        "HOME": str(tmp_path),
        "TZ": "Pacific/Kiritimati",
        "PYTHONHASHSEED": "4242",
        "LC_ALL": "C",
        "MASTER_PASSWORD": "must not matter",
    }
    kiwistack("build", copy / "cust-kiwistack", "--out", other, cwd=tmp_path, environment=strange)
    assert files_in(one) == files_in(other)
    assert not any(b"must not matter" in content for content in files_in(other).values())


def test_what_a_tenant_did_not_choose_leaves_no_trace(copy: Path, tmp_path: Path) -> None:
    spec = copy / "cust-kiwistack" / "tenant.py"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(
        text.replace("from kiwi_component_onyx import Onyx\n\n", "")
        .replace("        Onyx(", "        *(")
        .replace('        *(replicas=2, email_domains=("kiwistack.example",)),\n', ""),
        encoding="utf-8",
    )
    shutil.rmtree(copy / "cust-kiwistack" / "overlays")
    kiwistack("build", copy / "cust-kiwistack", "--out", tmp_path / "out")
    written = files_in(tmp_path / "out")
    assert not any(b"onyx" in content or "onyx" in path for path, content in written.items())
    assert b"installed" not in written["helmfile.yaml.gotmpl"]


def test_a_release_that_left_takes_its_files_along(copy: Path) -> None:
    customer = copy / "cust-kiwistack"
    kiwistack("build", customer)
    assert (customer / "generated" / "overlays" / "onyx.yaml").is_file()
    (customer / "overlays" / "onyx.yaml").unlink()
    assert "1 removed" in kiwistack("build", customer)
    assert not (customer / "generated" / "overlays").exists()
