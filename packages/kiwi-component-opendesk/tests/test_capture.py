"""The facts are read from a git repository; what the reader does not understand, it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_component_opendesk._capture.collect import UPSTREAM_APPS
from kiwi_component_opendesk._capture.derivations import read_derivations
from kiwi_component_opendesk._capture.helmfiles import read_releases
from kiwi_component_opendesk._capture.lines import entries, scalar, section
from kiwi_component_opendesk._capture.references import find
from kiwi_component_opendesk.capture import capture, main
from kiwi_core.errors import ExternalError, InputError, Problem

HEAD: Final = "# SPDX-FileCopyrightText: 2024 The holder\n# SPDX-License-Identifier: Apache-2.0\n---\n"
ENVIRONMENT: Final = {
    "_helper": 'ldap:\n  host: "ldap"\n  baseDn: "dc=x"\nplatform:\n  realm: "opendesk"\n',
    "cache": 'cache:\n  notes:\n    host: "redis-headless"\n    port: 6379\n',
    "charts": 'charts:\n  redis:\n    # why\n    registry: "r.example"\n    repository: "charts"\n    name: "redis"\n'
    '    version: "1.2.3"\n    verify: true\n',
    "database": 'databases:\n  defaults:\n    limit: 100\n  notes:\n    type: "postgresql"\n    name: "notes"\n'
    '    host: "postgresql"\n    port: 5432\n    username: "notes_user"\n    password: ""\n    limit: ~\n',
    "global": 'global:\n  domain: {{ env "DOMAIN" | default "opendesk.internal" | quote }}\n  hosts:\n    keycloak: "id"\n'
    '    school: "school"\n  imagePullSecrets: []\n',
    "global.generated": 'global:\n  systemInformation:\n    releaseVersion: "v1.2.3"\n',
    "images": 'images:\n  redis:\n    registry: "r.example"\n    repository: "redis"\n    tag: "7@sha256:abc"\n',
    "objectstores": 'objectstores:\n  notes:\n    bucket: "notes"\n    username: "notes_user"\n    port: 443\n',
    "opendesk_main": "apps:\n  redis:\n    enabled: true\n    namespace: ~\n  cassandra:\n"
    '    enabled: {{ if eq (env "OPENDESK_ENTERPRISE") "true" }}true{{ else }}false{{ end }}\n    namespace: ~\n',
    "secrets": "secrets:\n  redis:\n"
    '    password: {{ derivePassword 1 "long" (env "MASTER_PASSWORD" | default "x") "redis" "password" | sha1sum | quote }}\n'
    '  seed: {{ env "MASTER_PASSWORD" | default "x" | quote }}\n'
    "  schoolToken: {{ uuidv4 }}\n",
    "smtp": 'smtp:\n  localpartNoReply: "no-reply"\n  options:\n    - "one"\n',
}
CHILD: Final = """\
repositories:
  - name: "x-repo"
    {{- if anything }}
    url: "y"
    {{- end }}
releases:
  - name: "APP-release"
    chart: "x-repo/{{ .Values.charts.redis.name }}"
    version: "{{ .Values.charts.redis.version }}"
    values:
      - "values.yaml.gotmpl"
      {{- if eq (env "OPENDESK_ENTERPRISE") "true" }}
      - "values-ee.yaml.gotmpl"
      {{- end }}
      {{- range .Values.customization.release.appRelease }}
      - {{ . }}
      {{- end }}
    installed: {{ .Values.apps.redis.enabled }}
    needs:
      - "other"
    wait: true
    timeout: 900
commonLabels:
  deployStage: "050-components"
  component: "x"
...
"""
VALUES: Final = """\
a: {{ .Values.images.redis.tag }} # of the image
b: {{ .Values.secrets.redis | toYaml }}
c: {{ .Values.databases.notes.host }}{{ .Values.databases.defaults.limit }}
d: {{ .Values.cache.notes.password | default .Values.secrets.redis.password }}
e: {{ .Values.secrets.schoolToken }}
# f: {{ .Values.images.nothing.tag }}
"""


def upstream(changes: Mapping[str, str] = {}) -> dict[str, str]:
    """A repository of openDesk's form, as small as can be."""
    order = "".join(f'  - path: "helmfile/apps/{app}/helmfile-child.yaml.gotmpl"\n' for app in UPSTREAM_APPS)
    default = "helmfile/environments/default"
    files = {
        "helmfile_generic.yaml.gotmpl": f"{HEAD}helmfiles:\n{order}",
        **{f"{default}/{name}.yaml.gotmpl": f"{HEAD}{text}...\n" for name, text in ENVIRONMENT.items()},
        f"{default}-enterprise-overrides/charts.yaml.gotmpl": HEAD + ENVIRONMENT["charts"].replace("1.2.3", "2.0.0"),
        f"{default}-enterprise-overrides/images.yaml.gotmpl": HEAD + ENVIRONMENT["images"],
    }
    for app in UPSTREAM_APPS:
        files[f"helmfile/apps/{app}/helmfile-child.yaml.gotmpl"] = HEAD + CHILD.replace("APP", app)
        files[f"helmfile/apps/{app}/values.yaml.gotmpl"] = HEAD + VALUES
        files[f"helmfile/apps/{app}/values-ee.yaml.gotmpl"] = "g: {{ .Values.objectstores.notes.bucket }}\n"
    return files | dict(changes)


def committed(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "x")):
        subprocess.run(("git", "-C", str(folder), *command), check=True)
    return folder


def test_a_revision_becomes_facts(tmp_path: Path) -> None:
    found = json.loads(capture(committed(tmp_path, upstream()), "HEAD", ["school"]))
    assert found["source"]["version"] == "v1.2.3"
    assert found["source"]["spdx"] == ["2024 The holder", "Apache-2.0"]
    assert found["apps"] == {"redis": True, "cassandra": "enterprise"}
    assert found["hosts"] == {"keycloak": "id"}
    assert found["seeds"] == ["secrets.seed"]
    assert found["secrets"] == {
        "secrets.redis.password": {
            "scope": "redis",
            "purpose": "password",
            "generation": 1,
            "template": "long",
            "encoding": ["sha1sum"],
        }
    }
    assert found["enterprise_charts"]["redis"]["version"] == "2.0.0"
    assert [release["app"] for release in found["releases"]] == list(UPSTREAM_APPS)
    release = found["releases"][0]
    assert (release["chart"], release["stage"], release["timeout"]) == ("redis", "050-components", 900)
    assert (release["needs"], release["gates"], release["wait"], release["wait_for_jobs"]) == (
        ["other"],
        ["redis"],
        True,
        False,
    )
    assert release["customization"] == ["appRelease"]
    assert release["names"] == {
        "images": ["redis"],
        "databases": ["notes"],
        "caches": ["notes"],
        "secrets": ["secrets.redis.password"],
    }
    assert release["enterprise_names"] == {"objectstores": ["notes"]}


def test_the_same_revision_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = committed(tmp_path, upstream())
    assert capture(folder, "HEAD", ["school"]) == capture(folder, "HEAD", ["school"])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("helmfile_generic", "notes/", "wiki/", "'wiki' is no app of openDesk"),
        ("helmfile_generic", "notes/", "wiki/", "openDesk's app 'notes' is not there"),
        ("environments/default/charts", "verify: true", "digest: true", r"pin 'redis' has \['digest'"),
        ("environments/default/charts", "    name:", "   name:", "indented by 3 blanks"),
        ("environments/default/charts", "registry:", "[registry]:", "expected a key with its value"),
        ("environments/default/secrets", "| sha1sum", "| md5", "secrets.redis.password is made in an unknown way"),
        ("environments/default/database", '"postgresql"', "{{ x }}", "expected a plain value at databases.notes.type"),
        ("apps/notes/helmfile-child", "timeout: 900", "atomic: true", "unknown field 'atomic'"),
        ("apps/notes/helmfile-child", "wait: true", "wait: false", "has wait: false"),
        ("apps/notes/helmfile-child", "range .Values.customization", "range .Values.other", "unknown line"),
        ("apps/notes/helmfile-child", "redis.version", "other.version", "chart and version from different pins"),
        ("apps/notes/helmfile-child", "redis", "valkey", "'valkey', which has no pin"),
        ("apps/notes/helmfile-child", "    installed: {{ .Values.apps.redis.enabled }}\n", "", "when it is installed"),
        ("apps/notes/values.yaml", "images.redis", "images.valkey", "'valkey', which images do not have"),
    ],
)
def test_what_is_not_understood_is_named_with_its_file(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    files = upstream()
    (name,) = (name for name in files if f"{file}." in f"{name}.".replace(".gotmpl", "") and "overrides" not in name)
    assert old in files[name]
    folder = committed(tmp_path, upstream({name: files[name].replace(old, new)}))
    with pytest.raises(InputError, match=message) as error:
        capture(folder, "HEAD", ["school"])
    assert all(problem.where and problem.where.file == name for problem in error.value.problems)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = upstream()
    del files["helmfile/environments/default/smtp.yaml.gotmpl"]
    with pytest.raises(InputError, match=r"smtp\.yaml\.gotmpl: revision HEAD has no such file"):
        capture(committed(tmp_path, files), "HEAD", ["school"])


def test_a_revision_that_is_not_there_and_no_repository_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExternalError, match="git"):
        capture(tmp_path, "HEAD")
    folder = committed(tmp_path, upstream())
    assert main([str(folder), "--revision", "v9", "--out", str(tmp_path / "out")]) == 3
    assert "v9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = committed(tmp_path / "repository", upstream())
    out = tmp_path / "facts.json"
    assert main([str(folder), "--revision", "HEAD", "--out", str(out), "--without", "school"]) == 0
    assert out.read_bytes() == capture(folder, "HEAD", ["school"])
    assert main([str(folder), "--revision", "HEAD", "--out", str(tmp_path), "--without", "school"]) == 2
    assert str(tmp_path) in capsys.readouterr().err


# The parts

Leaf: TypeAlias = "bool | int | str | None"
Tree: TypeAlias = "Mapping[str, Leaf | Tree]"
KEYS = st.from_regex(r"[a-z][a-zA-Z0-9_]{0,8}", fullmatch=True)
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.none(), st.text(st.characters(exclude_categories=["C"]), max_size=9)
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.dictionaries(KEYS, SCALARS, min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, st.one_of(SCALARS, inner), min_size=1, max_size=3),
    max_leaves=8,
)


def written(tree: Tree, indent: str = "") -> str:
    text = ""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            text += f"{indent}{key}:\n{indent}  # a map\n{written(value, f'{indent}  ')}"
        else:
            text += f"{indent}{key}: {'~' if value is None else json.dumps(value, ensure_ascii=False)}\n\n"
    return text


def flat(tree: Tree, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Leaf]:
    found: dict[tuple[str, ...], Leaf] = {}
    for key, value in tree.items():
        found |= flat(value, (*path, key)) if isinstance(value, Mapping) else {(*path, key): value}
    return found


@given(TREES)
def test_what_is_written_as_nested_maps_is_read_as_it_was(tree: Tree) -> None:
    leaves = {
        entry.path: scalar(entry, file="x")
        for entry in entries(written(tree), file="x")
        if entry.raw and "{{" not in entry.raw
    }
    assert leaves == {path: value for path, value in flat(tree).items() if "{{" not in str(value)}


LINES = st.one_of(
    st.text(max_size=80),
    st.text(max_size=20).map("key: {}".format),
    st.text(max_size=20).map('key: "{}"'.format),
    st.text(max_size=20).map('  - name: "x"\n    wait: {}'.format),
)


@given(LINES)
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    for read in (
        lambda: [scalar(entry, file="x") for entry in entries(text, file="x")],
        lambda: [*read_releases(f"releases:\n{text}", file="x")],
    ):
        refused: tuple[Problem, ...] = ()
        try:
            read()
        except InputError as error:
            refused = error.problems
        assert all(problem.where and problem.where.line for problem in refused)


def test_a_section_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match="it has nothing under 'charts'"):
        section("images:\n  x:\n", "charts", file="x")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("{{ (D | sha1sum | quote) }}", ("sha1sum",)),
        ('{{ printf "n%s" (D | sha1sum) | quote }}', ("sha1sum", "prefix:n")),
        (
            '{{ printf "MC%s" (D | sha1sum | trunc 20 | b64enc) | quote }}',
            ("sha1sum", "trunc:20", "b64enc", "prefix:MC"),
        ),
        ("{{ D | sha256sum | quote }}", ("sha256sum",)),
        ("{{ D }}", ()),
    ],
)
def test_each_form_of_a_derivation_is_read(text: str, encoding: tuple[str, ...]) -> None:
    derive = 'derivePassword 2 "medium" (env "MASTER_PASSWORD" | default "x") "cn=admin" "a b"'
    found, seeds = read_derivations(entries(f"secret: {text.replace('D', derive, 1)}", file="x"), file="x")
    assert seeds == ()
    item = found["secret"]
    assert (item.scope, item.purpose, item.generation, item.template) == ("cn=admin", "a b", 2, "medium")
    assert item.encoding == encoding


def test_a_map_of_secrets_names_all_that_it_holds() -> None:
    known = {kind: list[str]() for kind in ("images", "databases", "objectstores", "caches")}
    secrets = ["secrets.a.x", "secrets.a.y", "secrets.ab.z"]
    found = find(
        {"f": '{{ range $k, $v := .Values.secrets.a }}\n{{ omit .Values "theme" | toYaml }}'},
        known | {"secrets": secrets},
        known | {"secrets": []},
    )
    assert found.secrets == ("secrets.a.x", "secrets.a.y")
    assert found.whole
