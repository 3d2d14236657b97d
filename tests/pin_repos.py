"""A customer and a template of its own, in git, for the tests of ``kiwistack pins``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest
from trees import EXAMPLES

__all__ = ["Customer", "alone_with_git", "git"]

TENANT = """\
from kiwi_component_onyx import Onyx
from kiwi_core import BucketOffer, ExistingServices, PostgresOffer, SecretKey, Tenant

tenant = Tenant(
    slug="kiwistack",
    domain="kiwistack.example",
    cluster="core-1",
    components=(
        ExistingServices(
            postgres=PostgresOffer(host="postgresql", admin=SecretKey("postgresql", "postgres-password")),
            bucket=BucketOffer(
                endpoint_url="http://minio:9000", admin_user="admin", admin=SecretKey("minio", "root-password")
            ),
        ),
        Onyx(),
    ),
)
"""
OTHERS = "  # The gateways"
"""The line of the examples' pin files behind which the pins of gateways and of openDesk stand."""


@attrs.frozen(kw_only=True)
class Customer:
    """A copy of the example customer with Onyx alone, whose template is a git repository with one commit.

    Attributes:
        root: the customer's folder.
        template: the template's.
    """

    root: Path
    template: Path

    @classmethod
    def make(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
        """Copy the examples; git has nothing of the user's own configuration from here on."""
        alone_with_git(folder, monkeypatch)
        shutil.copytree(EXAMPLES, folder / "all", ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
        customer = cls(root=folder / "all" / "cust-kiwistack", template=folder / "all" / "od-platform")
        (customer.root / "tenant.py").write_text(TENANT, encoding="utf-8")
        for path in (customer.template / "environments").rglob("*.yaml"):
            path.write_text(path.read_text(encoding="utf-8").partition(OTHERS)[0], encoding="utf-8")
        git(customer.template, "init", "--quiet", "--initial-branch=main")
        git(customer.template, "add", ".")
        git(customer.template, "commit", "--quiet", "--message", "The platform")
        return customer

    def file(self, what: str, lane: str = "dev") -> Path:
        """The pin file of a lane: ``charts`` or ``images``."""
        return self.template / "environments" / lane / f"{what}.yaml"

    def edit(self, what: str, old: str, new: str, *, lane: str = "dev") -> None:
        """Replace a text of a pin file, and commit that."""
        text = self.file(what, lane).read_text(encoding="utf-8")
        assert old in text
        self.file(what, lane).write_text(text.replace(old, new), encoding="utf-8")
        git(self.template, "commit", "--quiet", "--all", "--message", "Edit")

    def state(self) -> tuple[object, ...]:
        """All that a refused command must leave as it is: the files, what is staged, and the commits."""
        files = {path: path.read_bytes() for path in sorted((self.template / "environments").rglob("*.yaml"))}
        return files, git(self.template, "status", "--porcelain"), git(self.template, "log", "--format=%H")

    def tag(self, image: str, lane: str = "dev") -> str:
        """The tag of an image pin, read with no YAML reader."""
        found = re.search(
            rf'^  {image}:\n(?:    .*\n)*?    tag: "?([^"\n]*)', self.file("images", lane).read_text(), re.MULTILINE
        )
        assert found
        return found[1]


def alone_with_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what tells git of this user and of another repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (folder / "gitconfig").write_text("[user]\nname = T\nemail = t@example.com\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    """Run git; return what it prints."""
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
