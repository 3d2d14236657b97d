"""Captures: the facts of an upstream artifact that checks need, so that no check needs a network.

A capture is made once, by ``kiwistack component capture``, from the artifact itself; it is kept as JSON beside the
plugin (see :mod:`kiwi_core._model.capture_json`) and is never written by hand.

Paths into a chart's values are dotted: ``api.image.tag``. A step ``*`` stands for every key of a map (or every item of
a list) that a template ranges over: ``auth.*.enabled``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from kiwi_core._model.schema import ORDERED
from kiwi_core._model.versions import Key

__all__ = [
    "ANY",
    "UNSAID",
    "CapturedImage",
    "ChartCapture",
    "ClusterObject",
    "HardCodedImage",
    "Json",
    "SchemaCapture",
    "Subchart",
    "Workload",
]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""What a JSON file can hold."""

ANY: Final = "*"
"""The step of a dotted path that stands for every key."""

UNSAID: Final = "?"
"""The guard that says: rendered only under a condition that a values path alone cannot express."""

STABLE: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@attrs.frozen(kw_only=True)
class CapturedImage:
    """An image that values choose.

    Attributes:
        path: dotted path of the map that holds it, e.g. ``api.image``; empty when the values' root holds it.
        keys: which keys of that map choose it, in this order as far as they are there: ``registry``, ``repository``,
            ``image``, ``tag``, ``digest``, then any other that a template puts on an ``image:`` line
            (``imageTag``, ``initImage``).
        repository: upstream's default repository; None when the values name none.
        tag: upstream's default tag, often empty where the chart falls back on its own version; None when there is none.
    """

    path: str
    keys: tuple[str, ...]
    repository: str | None = None
    tag: str | None = None


@attrs.frozen(kw_only=True)
class HardCodedImage:
    """An image that a template names itself, so that no value can pin it.

    Attributes:
        image: the reference as it stands there, e.g. ``busybox:1.36``; a registry that values choose is left out.
        file: path in the chart.
        line: line in the file, counted from 1.
        guards: dotted values paths that must be true for it to be rendered; :data:`UNSAID` for any other condition.
        hook: the value of ``helm.sh/hook`` in the same document (``test``, ``pre-delete``, …); None when it has none.
    """

    image: str
    file: str
    line: int
    guards: tuple[str, ...] = ()
    hook: str | None = None


@attrs.frozen(kw_only=True)
class ClusterObject:
    """An object that belongs to the whole cluster and that the chart renders.

    Attributes:
        kind: its Kubernetes kind, e.g. ``ClusterRole``.
        file: path in the chart; one in ``crds/`` is installed unless Helm is told not to.
        guards: as in :class:`HardCodedImage`.
    """

    kind: str
    file: str
    guards: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Subchart:
    """A chart that the chart depends on.

    Attributes:
        name: its own name.
        version: the version or range that ``Chart.yaml`` asks for.
        alias: the key under which its values stand, where that is not its name.
        conditions: dotted values paths that switch it; the first that exists decides.
        captured: whether it was there when the capture was made; its facts then stand in the capture under its key.
    """

    name: str
    version: str
    alias: str | None = None
    conditions: tuple[str, ...] = ()
    captured: bool = False

    @property
    def key(self) -> str:
        """The key of the parent's values under which its values stand."""
        return self.alias or self.name


@attrs.frozen(kw_only=True)
class Workload:
    """An object that runs pods.

    Attributes:
        kind: ``Deployment``, ``StatefulSet``, ``DaemonSet``, ``Job``, ``CronJob``, ``Pod``, …
        file: path in the chart.
        guards: as in :class:`HardCodedImage`.
        annotations: dotted path of the values map that lands on the pods' annotations, e.g. ``api.podAnnotations``;
            None where the template offers none, whatever ``values.yaml`` says.
        labels: the same for the pods' labels. One that also lands on the (immutable) selector does not count.
        ports: container ports: a number, or the dotted path of the value that gives it.
        hook: the value of its ``helm.sh/hook`` annotation; None for what lives as long as the release.
    """

    kind: str
    file: str
    guards: tuple[str, ...] = ()
    annotations: str | None = None
    labels: str | None = None
    ports: tuple[int | str, ...] = ()
    hook: str | None = None


@attrs.frozen(kw_only=True)
class ChartCapture:
    """The facts of one version of a Helm chart.

    Attributes:
        name: the chart's name.
        version: its version.
        app_version: the version of what it installs, as ``Chart.yaml`` says.
        digest: ``sha256:…`` of the ``.tgz`` that was read; None when a folder was.
        source: where the chart was taken from.
        values: its default values.
        open: dotted paths of maps that take any key, at any depth: ``{}`` or null in ``values.yaml``, or handed on as
            a whole by a template (``toYaml``, ``tpl``, ``merge``, …). A map that is only ranged over takes any key,
            too, but what is read of each item is known: see ``reads``.
        reads: dotted paths that templates, or the conditions of subcharts, read and that the values do not have.
        unseen: named templates that the chart hands all its values to and that it does not bring, as of a library
            chart not at hand: what they read is not known.
        subcharts: the charts that it depends on, in the order of ``Chart.yaml``.
        images: the images that values choose, by path.
        hard_coded: the images that templates name themselves, in the order of files and lines.
        cluster_objects: the cluster-wide objects that it renders, likewise.
        workloads: what runs pods, likewise.
    """

    name: str
    version: str
    app_version: str | None = None
    digest: str | None = None
    source: str
    values: Mapping[str, Json] = attrs.field(factory=dict[str, Json], hash=False, repr=False)
    open: tuple[str, ...] = attrs.field(default=(), repr=False)
    reads: tuple[str, ...] = attrs.field(default=(), repr=False)
    unseen: tuple[str, ...] = ()
    subcharts: tuple[Subchart, ...] = attrs.field(default=(), repr=False)
    images: tuple[CapturedImage, ...] = attrs.field(default=(), repr=False)
    hard_coded: tuple[HardCodedImage, ...] = attrs.field(default=(), repr=False)
    cluster_objects: tuple[ClusterObject, ...] = attrs.field(default=(), repr=False)
    workloads: tuple[Workload, ...] = attrs.field(default=(), repr=False)

    def knows(self, path: tuple[str, ...]) -> bool | None:
        """Say whether a path into the values means something to the chart.

        Args:
            path: the steps, e.g. ``("api", "image", "tag")``.

        Returns:
            True when the path is in the default values, lies in an open map, or is read by a template; False when it
            is none of these; None when that cannot be said: it belongs to a subchart that was not captured (its own
            key, or ``global``, which all share), or the chart uses named templates that were not there to be read.
        """
        if _holds(self.values, path):
            return True
        first = {path[0], ANY}
        if any(_meets(path, known) for step in first for known in self._read_steps.get(step, ())):
            return True
        # What lies in an open map is as good as the map itself.
        if any(_meets(path[: len(known)], known) for step in first for known in self._open_steps.get(step, ())):
            return True
        apart = {subchart.key for subchart in self.subcharts if not subchart.captured}
        if self.unseen or (apart and path[0] in {*apart, "global"}):
            return None
        return False

    @functools.cached_property
    def _read_steps(self) -> Mapping[str, Sequence[Sequence[str]]]:
        return _by_first_step(self.reads)

    @functools.cached_property
    def _open_steps(self) -> Mapping[str, Sequence[Sequence[str]]]:
        return _by_first_step(self.open)


@attrs.frozen(kw_only=True)
class SchemaCapture:
    """The history of a database schema, and where in it each image stands.

    Attributes:
        tool: how its versions are told apart: the ``tool`` of a kind of schema contract.
        image: the repository of the image that carries the migrations, e.g. ``onyxdotapp/onyx-backend``.
        source: where the history was taken from.
        revisions: each revision with its parents, parents first. Upstream's newest word counts: it may go beyond the
            newest tag. Empty where versions are numbers: those need no list.
        tags: each image tag with the heads of the history that it carries, or with its version where versions are
            numbers; by tag. A tag whose history upstream later rewrote, so that these revisions cannot tell it, is
            left out. An image that was captured without a tag stands here by its digest.
        digests: image digests (``sha256:…``) with the tag that they stood for.
    """

    tool: str = "alembic"
    image: str
    source: str
    revisions: Mapping[str, tuple[str, ...]] = attrs.field(hash=False, repr=False)
    tags: Mapping[str, tuple[str, ...]] = attrs.field(hash=False, repr=False)
    digests: Mapping[str, str] = attrs.field(factory=dict[str, str], hash=False, repr=False)

    def known(self, tag: str) -> bool:
        """Say whether the history that an image tag carries was captured."""
        return tag in self.tags

    def tag_of(self, tag: str, digest: str | None = None) -> str | None:
        """Return the captured tag that an image stands for: by its digest, else by its tag; None when there is none.

        A tag that was captured by digest stands for no other digest.
        """
        by_digest = self.digests.get(digest or "")
        is_another = digest is not None and tag in self.digests.values()
        return by_digest or (tag if self.known(tag) and not is_another else None)

    def knows(self, version: str) -> bool:
        """Say whether a version is one that the capture can place."""
        return self._rank(version) is not None if self.tool in ORDERED else version in self.revisions

    def has(self, tag: str, version: str) -> bool | None:
        """Say whether the image of a tag carries a revision or a version; None when the tag was not captured."""
        if not self.known(tag):
            return None
        return self._carriers(version)(tag)

    def tags_with(self, *versions: str) -> tuple[str, ...]:
        """Return the tags that carry all of some revisions: the stable ones (``v1.2.3``), else all; oldest first."""
        carriers = [self._carriers(version) for version in versions]
        found = dict.fromkeys(tag for tag in self.tags if all(carries(tag) for carries in carriers))
        return tuple(tag for tag in self.stable if tag in found) or tuple(found)

    def first_tag_with(self, version: str) -> str | None:
        """Return the lowest stable tag (``v1.2.3``) that carries a revision or a version; None when none does."""
        carries = self._carriers(version)
        return next((tag for tag in self.stable if carries(tag)), None)

    @functools.cached_property
    def stable(self) -> tuple[str, ...]:
        """The stable tags (``v1.2.3``), oldest first."""
        found = [
            (tuple(map(int, match.groups())), tag) for tag in self.tags if (match := STABLE.fullmatch(tag)) is not None
        ]
        return tuple(tag for _, tag in sorted(found))

    def after(self, revision: str) -> tuple[str, ...]:
        """Return the captured revisions that rest on one, parents first; none where versions are numbers."""
        later = self._from(revision)
        return tuple(name for name in self.revisions if name in later and name != revision)

    def _carriers(self, version: str) -> Callable[[str], bool]:
        """Return what says of a captured tag whether its image carries a revision or a version."""
        if self.tool not in ORDERED:
            later = self._from(version)
            return lambda tag: not later.isdisjoint(self.tags[tag])
        rank = self._rank(version)

        def reaches(tag: str) -> bool:
            found = [self._rank(text) for text in self.tags[tag]]
            return rank is not None and any(own is not None and own >= rank for own in found)

        return reaches

    def _rank(self, version: str) -> Key | None:
        return ORDERED[self.tool](version)

    def _from(self, revision: str) -> set[str]:
        """Return a revision and all that build on it; empty when it is not known."""
        later = {revision} & self.revisions.keys()
        for child, parents in self.revisions.items():
            if not later.isdisjoint(parents):
                later.add(child)
        return later


def _holds(tree: Json, path: Iterable[str]) -> bool:
    for step in path:
        if not isinstance(tree, Mapping) or step not in tree:
            return False
        tree = tree[step]
    return True


def _by_first_step(paths: Iterable[str]) -> Mapping[str, Sequence[Sequence[str]]]:
    found: dict[str, list[list[str]]] = {}
    for path in paths:
        steps = path.split(".")
        found.setdefault(steps[0], []).append(steps)
    return found


def _meets(path: tuple[str, ...], known: Sequence[str]) -> bool:
    """Say whether a path is a known one, or leads to it."""
    return len(path) <= len(known) and all(said in {step, ANY} for step, said in zip(path, known, strict=False))
