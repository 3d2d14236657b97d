"""A component of the tests' own: a page, with hooks around it, that Helm waits for no longer than a test does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
from kiwi_core import Bound, Component, Declaration, Job, Release, Secret, Value, Wiring, checksum
from kiwi_core.plugins import hookimpl

__all__ = ["Page"]


@attrs.frozen(kw_only=True)
class Page(Component):
    """One page.

    Attributes:
        message: what it says.
        image: the pin of its image, which has Python.
        ready: the path that is asked to tell whether it is ready.
        patience: seconds for Helm to wait.
        has_hooks: whether there is something to do before it and after it.
    """

    kind: ClassVar[str] = "page"

    message: str = "hello"
    image: str = "base"
    ready: str = "/"
    patience: int = 120
    has_hooks: bool = True

    def declare(self) -> Declaration:
        """Say that it is one release."""
        return Declaration(releases=(Release(name="page", chart="page", wait=True, timeout=self.patience),))

    def wire(self, bound: Bound) -> Wiring:
        """Wire it to a credential and its image."""
        repository, tag = bound.image(self.image)
        secret = Secret("page", {"token": bound.credential("token")})
        hook = Job(
            name="look", image=bound.image(self.image), command=("true",), observe=("test", "-e", "/etc/hostname")
        )
        hooks = (hook,) if self.has_hooks else ()
        values: dict[str, Value] = {
            "message": self.message,
            "image": {"repository": repository, "tag": tag},
            "ready": self.ready,
            "existingSecret": secret.name,
            "podAnnotations": {"checksum/secrets": checksum(secret)},
        }
        return Wiring(secrets=(secret,), pre=hooks, post=hooks, overlay={"page": values})


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship it."""
    return [Page]
