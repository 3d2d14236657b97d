"""Rule g: what seeds a component declares the schema that it needs; the pinned image must have it.

The history of the pins is looked at, too: a database that one image migrated does not run on an older one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from kiwi_core._compose.stack import Part, Stack
from kiwi_core._contract.chart import image_pins
from kiwi_core._contract.pin_history import entry_of, is_said, read_pins
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.pins import ImagePin
from kiwi_core._model.schema import AlembicSchema, Schema
from kiwi_core._model.schema_history import Carried, carried_by, image_problem, runners, runs_on
from kiwi_core.errors import InputError, Where, did_you_mean

__all__ = ["RULES"]

LETTER = "g"
RESTORED: Final = re.compile(r"#\s*restored:\s*\S")
"""What says at an image's entry that its databases were put back with it."""


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Compare each schema contract with the captured history of the image that is pinned."""
    for name, part in stack.parts.items():
        for schema in part.wiring.schema:
            pin = stack.pins.images.get(schema.image)
            used = {
                image
                for release in stack.releases
                if release.component == name and release.role == "component"
                for image in image_pins(release)
            }
            if pin is None or schema.image not in used:
                what, known = (
                    ("is not there", stack.pins.images) if pin is None else ("none of its releases runs", used)
                )
                yield finding(
                    LETTER,
                    f"component {name}",
                    f"its schema contract names the image pin {schema.image!r}, which {what}",
                    fix=did_you_mean(schema.image, known, otherwise="there are"),
                )
                continue
            where = stack.inputs.pins.where("images", schema.image, "tag")
            yield from _Contract(name, part, schema, pin, where, evidence).results()


@attrs.frozen
class _Contract:
    """One schema contract, and what is known of the image that is pinned."""

    component: str
    part: Part
    schema: Schema
    pin: ImagePin
    where: Where
    evidence: Evidence

    @property
    def subject(self) -> str:
        return f"component {self.component}"

    def results(self) -> Iterator[Result]:
        """Say whether the image has the minimum, and whether it follows those that were pinned before it."""
        capture = self.part.package.schemas.get(self.pin.repository)
        tag = capture.tag_of(self.pin.version, self.pin.digest) if capture else None
        if capture is None or tag is None or capture.tool != self.schema.tool:
            yield self._uncaptured(capture)
            return
        image = f"{self.pin.name}:{self.pin.version}"
        carried = carried_by(capture, tag)
        problem = image_problem(self.schema, image=image, carried=carried, captured=capture)
        if problem is None:
            yield passed(LETTER, self.subject, f"{self.schema.need}: {tag} has it")
        else:
            fix = problem.hint or ""
            first = capture.first_tag_with(self.schema.version)
            if first and not carried.circle and len(carried.heads) == 1:
                fix += f": {self.evidence.pin_command} --image {self.schema.image}={first}@sha256:<digest>"
            yield finding(LETTER, self.subject, problem.message, where=self.where, fix=fix)
        if not carried.circle and len(carried.heads) == 1:
            yield from self._set_back(capture, tag, carried)

    def _uncaptured(self, capture: SchemaCapture | None) -> Result:
        version = f"{self.pin.name}:{self.pin.tag}"
        why = f"the schema history of {version} was not captured"
        if capture is not None and self.pin.digest and capture.known(self.pin.version):
            known = ", ".join(digest for digest, tag in capture.digests.items() if tag == self.pin.version)
            why += f": {self.pin.version} was, as {known}" if known else ""
        command = f"kiwistack component capture schema {version}"
        if isinstance(self.schema, AlembicSchema):
            command += f" --folder {self.schema.versions}" if self.schema.versions else ""
        else:
            command += f" --tool {self.schema.tool} --version <the schema version that it brings>"
        return unproven(
            LETTER,
            self.subject,
            f"{self.schema.need}, and {why}",
            where=self.where,
            fix=f"{command} --out <package>/facts",
        )

    def _set_back(self, capture: SchemaCapture, own: str, carried: Carried) -> Iterator[Result]:
        """Compare the image with those that were pinned before it, the last one first."""
        unknown: list[str] = []
        looked_at = 0
        for commit, earlier in self._earlier():
            tag = capture.tag_of(earlier.version, earlier.digest)
            if tag is None:
                unknown += [earlier.version] if not looked_at else []
                continue
            heads = capture.tags[tag]
            looked_at += tag != own
            if all(map(carried.has, heads)):
                continue
            later = runs_on(capture, runners(capture, self.schema, heads))
            yield finding(
                LETTER,
                self.subject,
                f"{self.schema.image} was {tag} before ({commit}), and a database that {tag} migrated is at "
                f"{' and '.join(heads)}: {self.pin.version} ends at {' and '.join(carried.heads)} and cannot run on it",
                where=self.where,
                fix=(f"these can run on it: {later}; or " if later else "")
                + f"restore a database from before {tag}, say so at the entry ('# restored: <when>'), and commit it",
            )
            return
        if unknown:
            yield unproven(
                LETTER,
                self.subject,
                f"{self.schema.image} was {unknown[0]} before, whose schema history was not captured: whether a "
                f"database of it can run on {self.pin.version} is not known",
                where=self.where,
                fix=f"kiwistack component capture schema {self.pin.name}:{unknown[0]} --out <package>/facts",
            )
        elif looked_at:
            what = f"{self.pin.version} can run on the databases of all {looked_at} images that were pinned before it"
            yield passed(LETTER, self.subject, what)

    def _earlier(self) -> Iterator[tuple[str, ImagePin]]:
        """Yield the pins of the same image before this one, newest first, up to one whose databases were put back."""
        seen = {self.pin.tag}
        for commit in self.evidence.history or ():
            for texts in (commit.after, commit.before):
                pin, is_restored = self._pinned(texts.get("images", ""))
                if pin is not None and pin.tag not in seen:
                    seen.add(pin.tag)
                    yield f"commit {commit.revision[:12]}", pin
                if is_restored:
                    return

    def _pinned(self, text: str) -> tuple[ImagePin | None, bool]:
        """Return how a pin file pins the same image, and whether it says that databases were put back with it."""
        name, repository = self.schema.image, self.pin.repository
        try:
            document = read_pins(text, "images")
            entry = entry_of(document, "images", name)
            tag = "@".join(part for part in (entry.get("tag"), entry.get("digest")) if part)
            if entry.get("repository") != repository:
                return None, False
            pin = ImagePin(registry=self.pin.registry, repository=repository, tag=tag)
        except (InputError, ValueError):
            return None, False  # rule c tells it, or nobody could have run it
        return pin, is_said(RESTORED, text, document, "images", name)


RULES = (Rule(letter=LETTER, title="schema", check=check),)
