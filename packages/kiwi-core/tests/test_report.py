"""The report: everything is on it, nothing in it can become markup, and it is the same on every machine."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest
from cluster_samples import Edge, Llm, composed_cluster, edge_offer, gateway, llm_offer
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core._contract.results import Evidence, Outcome, Result, finding, passed, unproven
from kiwi_core._emit import report as report_module
from kiwi_core._emit.report import REPORT, page, report_of
from kiwi_core._emit.report_results import portable
from kiwi_core._emit.usage import usage_of
from kiwi_core.errors import Where
from report_samples import live, reported, results
from stack_samples import composed, release

FOLDER = Path(report_module.__file__).parent
VOID = {"br", "col", "link", "meta"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements in order with the names of their attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [value for each, attribute, value in self.attributes if (each, attribute) == (tag, name)]

    @property
    def text(self) -> str:
        return "".join(self.texts)


def rendered(words: str = "because", *, is_live: bool = False) -> Page:
    return Page(page(reported(words), results(words), live=live(words) if is_live else None))


def test_it_has_every_section_with_a_heading_and_a_link_to_it() -> None:
    found = rendered(is_live=True)
    sections = found.values("section", "id")
    assert sections == ["drift", "picture", "releases", "results", "pins", "secrets", "hooks", "network"]
    assert [link for link in found.values("a", "href") if link.removeprefix("#") in sections][1:] == [
        f"#{name}" for name in sections
    ]
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for _, name, value in found.attributes if name == "aria-labelledby" for value in value.split()} <= {
        *ids
    }
    assert found.open == []


def test_every_link_leads_to_something_on_the_page() -> None:
    found = rendered(is_live=True)
    ids = {value for _, name, value in found.attributes if name == "id"}
    assert {link.removeprefix("#") for link in found.values("a", "href")} <= ids


@pytest.mark.parametrize(
    "text",
    [
        "tenant acme, lane dogfood",
        "core-1, tier core",
        "app (kiwi-component-sample 2.3)",
        "sha256:" + "0123456789abcdef" * 4,
        "050-components, 5 releases",
        "because (app.yaml:3: a.b)",
        "1 finding, 2 unproven",
        "https://charts.example/stable/postgresql",
        "app/postgres/db",
        "licence",
        "role db at pg:5432",
        "acts",
        "443/tcp, 8443/tcp",
        "app-web-to-llm-llm",
        "app uses llm/llm, which the cluster serves in kiwi-llm",
        "web.acme.example",
    ],
)
def test_it_says(text: str) -> None:
    assert text in re.sub(r"\s+", " ", rendered().text)


def test_it_loads_nothing_and_allows_only_its_own_style() -> None:
    found = rendered(is_live=True)
    assert {tag for tag, _ in found.elements} & {"script", "img", "iframe", "object", "embed", "form", "base"} == set()
    assert not any(name == "style" or name.startswith("on") for _, name, _ in found.attributes)
    for tag, name, value in found.attributes:
        if name in {"href", "src"}:
            assert value.startswith("#") or (tag, value) == ("link", "data:,")
    style = re.search(r"<style>(.*?)</style>", page(reported(), ()), re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    (policy,) = [value for value in Page(page(reported(), ())).values("meta", "content") if "default-src" in value]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]


def test_tables_have_captions_and_headers_that_say_what_they_are_of() -> None:
    found = rendered(is_live=True)
    tags = [tag for tag, _ in found.elements]
    assert tags.count("table") == tags.count("caption") > 8
    assert set(found.values("th", "scope")) == {"col", "row", "rowgroup"}
    assert all("scope" in names for tag, names in found.elements if tag == "th")
    assert tags.count("h1") == 1


HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>",
    "]]>--><!--",
    "\"' onload=alert(1) x='",
    "&lt;b&gt;&#60;",
    "\x00\x1b[31m\u202e\ufeff",
    "{}%s{{ fail }}",
)


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)),
    st.booleans(),
)
def test_no_text_becomes_markup(words: str, is_live: bool) -> None:  # noqa: FBT001 -- hypothesis
    found, plain = rendered(words, is_live=is_live), rendered("because", is_live=is_live)
    assert found.elements == plain.elements
    assert found.open == []


def test_the_same_stack_gives_the_same_bytes() -> None:
    assert page(reported(), results(), live=live()) == page(reported(), results(), live=live())


def test_an_empty_tenant_and_a_cluster_have_pages_too() -> None:
    assert "None." in Page(page(composed(), ())).text
    cluster = composed_cluster(
        gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),)),
        gateway(Llm, release("litellm"), offers=(llm_offer("litellm"),)),
    )
    found = Page(page(cluster, ()))
    assert "acme, other" in found.text
    assert "kiwi-edge, kiwi-llm" in found.text


def test_a_live_page_says_when_it_was_and_what_was_found() -> None:
    found = rendered("at noon", is_live=True)
    assert "As found at noon: 2 differences." in found.text
    assert "1/8" in re.sub(r"\s", "", found.text)
    for state in ("✓ as built", "≠ changed", "✕ failed", "∅ missing", "? not known"):
        assert state in found.text
    assert "Live state" not in rendered().text


def test_what_is_said_of_many_releases_stands_in_one_row() -> None:
    stack = reported()
    said = [unproven("b", f"release {name}", f"chart {name} was not captured") for name in ("pg", "cache")]
    text = Page(page(stack, [*said, unproven("b", "release app", "something else")])).text
    assert text.count("its chart was not captured") == 1
    assert "2 times" in text
    assert "0 findings, 3 unproven" in text


EVIDENCE = Evidence(
    pin_command="kiwistack pins bump /home/me/acme --lane dev",
    repo="/home/me/acme",
    cluster_command="kiwistack build /home/me/core-1",
)


def test_results_of_a_tree_name_no_folder_and_no_history() -> None:
    found = portable(
        [
            finding("c", "image web", "no digest", fix="kiwistack pins bump /home/me/acme --lane dev --image web=1"),
            unproven("e", "secrets.lock", "gone", fix="kiwistack secrets fingerprint /home/me/acme"),
            unproven("a", "cluster core-1", "gone", fix="kiwistack build /home/me/core-1"),
            finding("d", "release app", "no key", where=Where("/home/me/acme/overlays/app.yaml", 3, ("a",)), fix="x"),
            unproven("c", "history of the pins", "there is no git"),
            finding("c", "commit 0123", "it moved", fix="bump both"),
            passed("c", "history of the pins", "3 commits were looked at"),
            passed("d", "release app", "all keys are there"),
        ],
        EVIDENCE,
    )
    assert [result.subject for result in found] == [
        "image web",
        "secrets.lock",
        "cluster core-1",
        "release app",
        "release app",
    ]
    assert not any("/home/me" in str(result) for result in found)
    assert str(found[3].where) == "app.yaml:3: a"
    assert found[1].fix == "kiwistack secrets fingerprint <the repository>"


def test_the_emitter_gives_the_page_of_portable_results() -> None:
    said = (unproven("e", "secrets.lock", "gone", fix="kiwistack secrets fingerprint /home/me/acme"),)
    (written,) = report_of(said, EVIDENCE)(reported()).items()
    assert written == (REPORT, page(reported(), portable(said, EVIDENCE)).encode())


def test_credentials_are_told_with_what_reads_them() -> None:
    found = {use.name: use for use in usage_of(reported()).credentials}
    database = found["app/postgres/db"]
    assert database.secrets[0] == "app-db/password"
    assert database.readers[:1] == ("app",)
    assert "app-pre" in database.readers
    assert found["app/salt because"].plain == ("app",)
    (licence,) = usage_of(reported()).externals
    assert licence.secrets == ("app-db/licence",)
    assert licence.readers == ("app", "app-pre")


def test_no_value_of_a_secret_is_on_it() -> None:
    stack = reported()
    sealed = attrs.evolve(stack, inputs=attrs.evolve(stack.inputs, externals={"licence": b"hush-this-is-sealed"}))
    assert "hush-this-is-sealed" not in page(sealed, ())


def test_unproven_and_findings_are_counted_with_their_colour() -> None:
    found = page(reported(), [Result(rule="a", outcome=Outcome.PASS, subject="x", message="y")])
    assert '<div class="tile good"><dt>Findings</dt><dd>0</dd></div>' in found
    assert '<div class="tile bad"><dt>Findings</dt><dd>1</dd></div>' in page(reported(), results())


def colours(text: str) -> Mapping[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", text))


def luminance(colour: str) -> float:
    """As WCAG 2.2 has it, "relative luminance"."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_texts_have_the_contrast_that_wcag_asks_for() -> None:
    """AA of WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark", 1)
    pairs = [(text, ground) for text in ("text", "soft", "link") for ground in ("ground", "raised")]
    pairs += [("good", "ground"), ("good", "raised"), ("accent", "ground"), ("link", "chosen"), ("soft", "chosen")]
    pairs += [(mood, f"{mood}-ground") for mood in ("open", "bad")]
    pairs += [("soft", "open-ground"), ("soft", "bad-ground"), ("open", "ground"), ("bad", "ground")]
    for theme in (colours(light), colours(dark)):
        for text, ground in pairs:
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)


def test_lines_of_the_picture_have_the_contrast_of_graphics() -> None:
    """AA of WCAG 2.2, success criterion 1.4.11: 3 to 1; texts in boxes 4.5."""
    style = (FOLDER / "graph.css").read_text(encoding="utf-8")
    grounds = {"light": ("#f3f5f8", "#ffffff"), "dark": ("#1a202a", "#12161d")}
    light, dark = style.split("@media", 1)
    for theme, text in (("light", light), ("dark", dark)):
        lines = re.findall(r"path\.k-([a-z]+) \{ stroke: (#[0-9a-f]{6})", text)
        assert len(lines) == 12
        for kind, colour in lines:
            least = 3.0 if kind != "order" else 2.5
            assert min(contrast(colour, ground) for ground in grounds[theme]) >= least, (theme, kind)
    for text, box in (("#16202e", "#ffffff"), ("#566173", "#ffffff"), ("#566173", "#eef6ef"), ("#566173", "#e6ebf2")):
        assert contrast(text, box) >= 4.5
    for text, box in (("#eef2f7", "#242c38"), ("#a3aebd", "#242c38"), ("#a3aebd", "#1e3024"), ("#a3aebd", "#303a49")):
        assert contrast(text, box) >= 4.5
