"""A small platform to try secrets on: a cluster with an ingress, and a customer with Onyx and Hello: two scopes."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
from kiwi_core import _engine as engine
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.lock import names_of
from kiwi_core._derive.password import Seed
from trees import EXAMPLES

__all__ = ["OTHER", "PLATFORM", "SEED", "WEAK", "Platform", "derived"]

SEED = "hq3Z0vW8mXk1tY7sR5nB2cE9fG4jL6pQ0aD8uI1oT3w"
OTHER = "Lx7Tf2Kd9Vb4Ns8Wq1Zc6Ym3Hr5Jg0Pe2Au7Oi4Ut9k"
PLATFORM = "Zr8Gd3Xn6Mq1Vw9Kt4Bs7Yc2Hf5Lj0Pe3Au6Oi8Ut1k"
WEAK = "kiwi"

CLUSTER = """\
from kiwi_core import ApiServer, Cluster, Customer, Tier
from kiwi_gateways import IngressNginx

cluster = Cluster(
    name="core-1",
    tier=Tier.CORE,
    api_server=ApiServer(address="192.0.2.10"),
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    ingress_addresses=("198.51.100.10",),
    components=(IngressNginx(),),
    customers=(Customer(slug="acme", domain="acme.example"),),
)
"""

TENANT = """\
from kiwi_component_hello import Hello
from kiwi_component_onyx import Onyx
from kiwi_core import BucketOffer, ExistingServices, PostgresOffer, SecretKey, Tenant

tenant = Tenant(
    slug="acme",
    domain="acme.example",
    cluster="core-1",
    components=(
        ExistingServices(
            postgres=PostgresOffer(host="postgresql", admin=SecretKey("postgresql", "postgres-password")),
            bucket=BucketOffer(
                endpoint_url="http://minio:9000", admin_user="admin", admin=SecretKey("minio", "root-password")
            ),
        ),
        Onyx(),
        Hello(),
    ),
)
"""


@attrs.frozen(kw_only=True)
class Platform:
    """The repositories.

    Attributes:
        customer: that of customer acme.
        cluster: that of its cluster.
    """

    customer: Path
    cluster: Path

    @classmethod
    def make(cls, folder: Path) -> Platform:
        """Copy the examples, and put smaller specs in."""
        shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("generated", "kiwi-component-*", "*.lock"))
        platform = cls(customer=folder / "cust-acme", cluster=folder / "core-1")
        (platform.cluster / "cluster.py").write_text(CLUSTER, encoding="utf-8")
        (platform.customer / "tenant.py").write_text(TENANT, encoding="utf-8")
        return platform

    @property
    def lock(self) -> Path:
        """The customer's fingerprints."""
        return self.customer / "secrets.lock"

    def edit(self, old: str, new: str) -> None:
        """Replace a text of the customer's spec."""
        spec = self.customer / "tenant.py"
        text = spec.read_text(encoding="utf-8")
        assert old in text
        spec.write_text(text.replace(old, new), encoding="utf-8")

    def say(self, line: str) -> None:
        """Add an argument to the customer's spec."""
        self.edit("    components=(", f"    {line.strip()}\n    components=(")

    def settings(self, text: str) -> None:
        """Add to the customer's ``kiwi.toml``."""
        file = self.customer / "kiwi.toml"
        file.write_text(f"{file.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")


def derived(repo: Path, seed: str = SEED) -> dict[str, str]:
    """Derive every credential of a repository: its name, as in ``secrets.lock``, to its value."""
    named = names_of(engine.load(repo).stack.credentials)
    values = derive_all(Seed(seed), named.values())
    return {name: values[late].reveal() for name, late in named.items()}
