"""Rule g: what seeds a component declares the schema that it needs; the pinned image must have it."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Part, Stack
from kiwi_core._contract.chart import image_pins
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.pins import ImagePin
from kiwi_core._model.schema import Schema
from kiwi_core.errors import Where, did_you_mean

__all__ = ["RULES"]

LETTER = "g"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Compare each schema contract with the captured history of the image that is pinned."""
    for name, part in stack.parts.items():
        for schema in part.wiring.schema:
            pin = stack.pins.images.get(schema.image)
            used = {image for release in stack.releases if release.component == name for image in image_pins(release)}
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
            yield _result(name, part, schema, pin, where, evidence)


def _result(name: str, part: Part, schema: Schema, pin: ImagePin, where: Where, evidence: Evidence) -> Result:
    subject = f"component {name}"
    need = f"{schema.because} needs {schema.tool} revision {schema.minimum}"
    capture = part.package.schemas.get(pin.repository)
    tag = _tag(capture, pin) if capture else None
    if capture is None or tag is None or capture.tool != schema.tool:
        return unproven(
            LETTER,
            subject,
            f"{need}, and the schema history of {pin.name}:{pin.tag} was not captured",
            where=where,
            fix=f"kiwistack component capture schema <git repository> --image {pin.repository} "
            "--out <package>/facts/schemas",
        )
    if schema.minimum not in capture.revisions:
        return finding(
            LETTER,
            subject,
            f"{need}, which is in no captured history of {pin.repository}",
            fix=did_you_mean(schema.minimum, capture.revisions, otherwise="its revisions"),
        )
    heads = capture.tags[tag]
    if len(heads) != 1:
        return finding(
            LETTER,
            subject,
            f"{pin.name}:{tag} has {len(heads)} schema heads ({', '.join(heads)}): its migration cannot run",
            where=where,
            fix="pin another tag",
        )
    if not capture.has(tag, schema.minimum):
        first = capture.first_tag_with(schema.minimum)
        return finding(
            LETTER,
            subject,
            f"{need}, and {pin.name}:{tag} ends at {heads[0]}, before it",
            where=where,
            fix=(f"pin {first} or later: {evidence.pin_command} --image {schema.image}={first}@sha256:<digest>")
            if first
            else "no released tag has it yet",
        )
    return passed(LETTER, subject, f"{need}: {tag} has it")


def _tag(capture: SchemaCapture, pin: ImagePin) -> str | None:
    """Return the captured tag that a pin stands for: by its digest, else by its tag."""
    by_digest = capture.digests.get(pin.digest or "")
    return by_digest or (pin.version if capture.known(pin.version) else None)


RULES = (Rule(letter=LETTER, title="schema", check=check),)
