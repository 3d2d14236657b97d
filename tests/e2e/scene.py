"""Customers on the cluster: their repositories, and the command that delivers them.

One kind has the demonstration of examples/kiwi-component-memo, the other a page of the tests' own
(``plugin/e2e_component``), which is there in seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from e2e.memo_images import OLD_IMAGE
from kiwi_core import _engine as engine
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.lock import names_of
from kiwi_core._derive.password import Seed
from memo_app.memo_hands import MEMO
from testbed.cluster import Cluster

__all__ = ["Customer", "Deployed", "Done", "Json", "Platform", "Programs", "kept"]

Json = Any  # what kubectl prints, and a test picks apart

SEEDS = "of the tests in the cluster"
"""What each customer's seed is made of."""
PLUGIN = Path(__file__).with_name("plugin")
PATIENCE = 300.0
"""Seconds for one run of the command."""
CLUSTER = """\
from kiwi_core import ApiServer, Cluster, Customer, Tier

cluster = Cluster(
    name="demo-1",
    tier=Tier.CORE,
    identity="{identity}",
    api_server=ApiServer(address="{address}", port={port}),
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("{services}",),
    node_cidrs=("{node}/32",),
    customers=({customers}),
)
"""
PAGE = """\
from e2e_component import Page
from kiwi_core import Tenant

tenant = Tenant(slug="{slug}", domain="{slug}.example", cluster="demo-1", components=(Page(),))
"""


@attrs.frozen(kw_only=True)
class Programs:
    """What the command runs."""

    helmfile: Path
    helm: Path
    kubectl: Path

    @property
    def options(self) -> Sequence[str]:
        """How ``kiwistack apply`` is told."""
        return [f"--helmfile={self.helmfile}", f"--helm={self.helm}", f"--kubectl={self.kubectl}"]


@attrs.frozen(kw_only=True)
class Done:
    """A run of the command.

    Attributes:
        code: its exit code.
        text: all that it printed.
        seconds: how long it took.
    """

    code: int
    text: str
    seconds: float


@attrs.frozen(kw_only=True)
class Platform:
    """The repositories.

    Attributes:
        cluster: where to.
        folder: has the template, the cluster's repository, and those of the customers.
        images: what pods ask for, by the names of ``memo_images.make_images``.
        programs: what the command runs.
    """

    cluster: Cluster
    folder: Path
    images: Mapping[str, str]
    programs: Programs

    @classmethod
    def make(
        cls,
        cluster: Cluster,
        folder: Path,
        *,
        demo: str,
        pages: Sequence[str],
        images: Mapping[str, str],
        programs: Programs,
    ) -> Platform:
        """Copy the demonstration, and have its specs say what is so here.

        Args:
            cluster: where to.
            folder: which is not there yet.
            demo: the slug of the customer who has the demonstration.
            pages: the slugs of those who have a page.
            images: as above.
            programs: as above.
        """
        made = cls(cluster=cluster, folder=folder, images=images, programs=programs)
        shutil.copytree(MEMO / "demo", folder, ignore=shutil.ignore_patterns("generated", "*.lock"))
        (folder / "cust-demo").rename(made.customer(demo).folder)
        made.customer(demo).edit('slug="demo"', f'slug="{demo}"')
        for slug in pages:
            own = made.customer(slug).folder
            own.mkdir()
            shutil.copy(made.customer(demo).folder / "kiwi.toml", own)
            (own / "tenant.py").write_text(PAGE.format(slug=slug), encoding="utf-8")
        domains = {demo: "demo.example", **{slug: f"{slug}.example" for slug in pages}}
        made.describe("".join(f'Customer(slug="{slug}", domain="{name}"),' for slug, name in domains.items()))
        made.pin()
        installed = folder / "plugins" / "e2e_component-1.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: e2e-component\nVersion: 1\n", "utf-8")
        (installed / "entry_points.txt").write_text("[kiwistack.components]\npage = e2e_component\n", "utf-8")
        return made

    def get(self, *words: str) -> Json:
        """Return what kubectl gets."""
        return json.loads(self.cluster.kubectl("get", *words, "--output=json"))

    def describe(self, customers: str) -> None:
        """Write the cluster's spec, with the addresses that this one has."""
        (server,) = self.get("endpointslices", "--field-selector=metadata.name=kubernetes")["items"]
        addresses = self.get("nodes")["items"][0]["status"]["addresses"]
        text = CLUSTER.format(
            identity=self.get("namespace", "kube-system")["metadata"]["uid"],
            address=server["endpoints"][0]["addresses"][0],
            port=server["ports"][0]["port"],
            services=self.get("servicecidr", "kubernetes")["spec"]["cidrs"][0],
            node=next(each["address"] for each in addresses if each["type"] == "InternalIP"),
            customers=customers,
        )
        (self.folder / "cluster" / "cluster.py").write_text(text, encoding="utf-8")

    def pin(self, **others: str) -> None:
        """Pin the images, or others for some of the names."""
        lines = ["images:"]
        for name, reference in {**self.images, **others}.items():
            if name != OLD_IMAGE:
                found = re.fullmatch(r"([^/]+)/([^:]+):(.+)", reference)
                assert found
                parts = zip(("registry", "repository", "tag"), found.groups(), strict=True)
                lines += [f"  {name}:", *(f'    {key}: "{value}"' for key, value in parts)]
        for lane in ("dev", "dogfood"):
            path = self.folder / "template" / "environments" / lane / "images.yaml"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def customer(self, slug: str) -> Customer:
        """One of the customers."""
        return Customer(platform=self, slug=slug, folder=self.folder / f"cust-{slug}")


@attrs.frozen(kw_only=True)
class Customer:
    """A customer.

    Attributes:
        platform: what it is a part of.
        slug: names it.
        folder: its repository.
    """

    platform: Platform
    slug: str
    folder: Path

    @property
    def namespace(self) -> str:
        """Where it goes."""
        return f"cust-{self.slug}"

    @property
    def tree(self) -> Path:
        """What was built."""
        return self.folder / "generated"

    @property
    def spec(self) -> Path:
        """What it has."""
        return self.folder / "tenant.py"

    @property
    def seed(self) -> str:
        """What its credentials derive from."""
        return hashlib.sha256(f"{SEEDS}: {self.slug}".encode()).hexdigest()

    @property
    def environment(self) -> Mapping[str, str]:
        """What the command gets beside the test's own."""
        plugins = (str(PLUGIN), str(self.platform.folder / "plugins"))
        return {
            "KUBECONFIG": str(self.platform.cluster.kubeconfig),
            "MASTER_PASSWORD": self.seed,
            "PYTHONPATH": os.pathsep.join(filter(None, (*plugins, os.environ.get("PYTHONPATH")))),
        }

    def edit(self, *replacements: str) -> None:
        """Replace texts of the spec: what is there, and what is to be there, in turn."""
        text = self.spec.read_text(encoding="utf-8")
        for old, new in zip(replacements[::2], replacements[1::2], strict=True):
            assert old in text, old
            text = text.replace(old, new)
        self.spec.write_text(text, encoding="utf-8")

    def words(self, *words: str) -> Sequence[str]:
        """The command on the customer's repository; with the programs that it runs."""
        programs = self.platform.programs
        options = {
            "apply": programs.options,
            **dict.fromkeys(("hooks", "status", "verify"), (f"--kubectl={programs.kubectl}",)),
        }
        return [sys.executable, "-m", "kiwi_core", *words, *options.get(words[0], ()), str(self.folder)]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            self.words(*words),
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, code: int | None = 0) -> Done:
        """Run the command to its end; it has to end so, unless the code is None."""
        began = time.monotonic()
        process = self.start(*words)
        text, _ = process.communicate(timeout=PATIENCE)
        assert code is None or process.returncode == code, text
        return Done(code=process.returncode, text=text, seconds=time.monotonic() - began)

    def build(self) -> None:
        """Build the tree."""
        self.run("build")

    def fingerprint(self) -> None:
        """Write ``secrets.lock``, and build the tree."""
        self.run("secrets", "fingerprint")
        self.build()

    def apply(self, *words: str, code: int | None = 0) -> Done:
        """Deliver the tree."""
        return self.run("apply", *words, code=code)

    def verify(self, *words: str, code: int = 0) -> str:
        """Verify what runs."""
        return self.run("verify", *words, code=code).text

    def kubectl(self, *words: str | Path, given: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.platform.cluster.kubectl(f"--namespace={self.namespace}", *words, given=given)

    def get(self, *words: str) -> Json:
        """Return what kubectl gets in the namespace."""
        return self.platform.get(*words, f"--namespace={self.namespace}")

    def derived(self) -> Mapping[str, str]:
        """Return what each credential derives to, by its name."""
        named = names_of(engine.load(self.folder).stack.credentials)
        values = derive_all(Seed(self.seed), named.values())
        return {name: values[late].reveal() for name, late in named.items()}

    def objects(self) -> Mapping[str, Json]:
        """Return every object of the namespace by ``kind/name``, but for events."""
        said = self.platform.cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name")
        kinds = [kind for kind in said.split() if kind.partition(".")[0] != "events"]
        return {f"{item['kind']}/{item['metadata']['name']}": item for item in self.get(",".join(kinds))["items"]}

    def pods(self) -> Mapping[str, str]:
        """Return the pods that serve, by name, with their uid and how often they were started anew."""
        found = self.get("pods", "--field-selector=status.phase=Running")["items"]
        return {
            pod["metadata"]["name"]: " ".join(
                (pod["metadata"]["uid"], *(str(each["restartCount"]) for each in pod["status"]["containerStatuses"]))
            )
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
        }


@attrs.frozen(kw_only=True)
class Deployed:
    """A customer who was delivered.

    Attributes:
        customer: who.
        done: how.
    """

    customer: Customer
    done: Done


def kept(objects: Mapping[str, Json]) -> Mapping[str, str]:
    """Return what a deploy that changes nothing leaves as it is, with its version.

    That is all but Helm's records, the lock, and what the hooks are made of, which each deploy makes anew.
    """
    return {
        name: f"{item['metadata']['uid']} {item['metadata']['resourceVersion']}"
        for name, item in objects.items()
        if item.get("type") != "helm.sh/release.v1"
        and name != "Lease/kiwistack-apply"
        and not re.fullmatch(r"(Job|Pod|ConfigMap)/[a-z-]+-[0-9a-f]{8}-r\d+(-\w+)?", name)
    }
