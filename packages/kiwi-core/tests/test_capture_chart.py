"""Capturing a chart: small charts in, facts out."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiwi_core._deliver import chart_files
from kiwi_core._deliver.capture_chart import capture_chart
from kiwi_core._model.capture import (
    CapturedImage,
    ChartCapture,
    ClusterObject,
    HardCodedImage,
    Subchart,
    Workload,
)
from kiwi_core._model.capture_json import dump_chart, load_chart
from kiwi_core.errors import InputError

META = "apiVersion: v2\nname: small\nversion: 1.2.3\nappVersion: 1.10\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in {"Chart.yaml": META, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    return folder


def capture(folder: Path, files: Mapping[str, str]) -> ChartCapture:
    return capture_chart(write(folder, files), source="a test")


def template(folder: Path, text: str, values: str = "") -> ChartCapture:
    return capture(folder, {"values.yaml": values, "templates/all.yaml": text})


def str_of_no_bytes(value: object) -> str | None:
    """Name a case by its text: an archive holds the time at which it was made, and a name must not change."""
    return value if isinstance(value, str) else "data"


def pack(files: Mapping[str, str | bytes], **special: bytes) -> bytes:
    """Make a .tgz; ``special`` gives members the type of a link, a device, …"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, kind in special.items():
            member = tarfile.TarInfo(f"small/{name}")
            member.type = kind
            member.linkname = "/etc/passwd"
            archive.addfile(member)
    return buffer.getvalue()


# The chart itself


def test_name_versions_and_source_are_captured_as_they_stand(tmp_path: Path) -> None:
    found = capture(tmp_path, {})
    assert (found.name, found.version, found.app_version) == ("small", "1.2.3", "1.10")
    assert (found.digest, found.source) == (None, "a test")
    assert found.values == {}


def test_values_lose_comments_and_keep_types(tmp_path: Path) -> None:
    values = "a: 1  # one\nb: '1'\nc: [x, {y: null}]\nd: 2026-01-02\n1: true\n"
    assert capture(tmp_path, {"values.yaml": values}).values == {
        "a": 1,
        "b": "1",
        "c": ["x", {"y": None}],
        "d": "2026-01-02",
        "1": True,
    }


def test_dependencies_are_captured_with_alias_and_conditions_in_order(tmp_path: Path) -> None:
    meta = """
        dependencies:
          - {name: store, version: 1.x, alias: db, condition: "dbOperator.enabled, db.enabled"}
          - {name: cache, version: 2.0.0, tags: [fast]}
    """
    found = capture(tmp_path, {"Chart.yaml": META + textwrap.dedent(meta), "values.yaml": "db: {enabled: true}"})
    assert found.subcharts == (
        Subchart(name="store", version="1.x", alias="db", conditions=("dbOperator.enabled", "db.enabled")),
        Subchart(name="cache", version="2.0.0"),
    )
    assert found.reads == ("dbOperator.enabled", "tags.fast")


# What the chart knows


@pytest.mark.parametrize(
    "action",
    [
        "{{ .Values.a.b }}",
        "{{- $.Values.a.b | quote -}}",
        "{{ (.Values.a).b }}",
        '{{ dig "a" "b" "" .Values }}',
        '{{ index .Values "a" "b" }}',
        '{{ get .Values.a "b" }}',
        '{{ if hasKey .Values.a "b" }}x{{ end }}',
        "{{ with .Values.a }}{{ .b }}{{ end }}",
        "{{ $a := .Values.a | default dict }}{{ $a.b }}",
        "{{ range $i := until 3 }}{{ $.Values.a.b }}{{ end }}",
        '{{ if and .Values.z (not (eq .Values.a.b "x")) }}{{ else if .Values.y }}{{ end }}',
        '{{ define "t" }}{{ .ctx.Values.a.b }}{{ end }}{{ include "t" (dict "ctx" $) }}',
        '{{ define "t" }}{{ .b }}{{ end }}{{ template "t" .Values.a }}',
        '{{ range $name := list "a" }}{{ (index $.Values $name).b }}{{ end }}',
        '{{ printf "%s" (default `x}}` .Values.a.b) }}',
    ],
)
def test_what_a_template_reads_is_known_although_no_value_is_there(tmp_path: Path, action: str) -> None:
    found = template(tmp_path, action)
    assert "a.b" in found.reads
    assert found.knows(("a", "b")) is True
    assert found.knows(("a",)) is True
    assert found.knows(("a", "c")) is False
    assert found.knows(("a", "b", "c")) is False


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "{{/* .Values.a.b */}}",
        "{{- /* {{ .Values.a.b }} */ -}}",
        '{{ "{{ .Values.a.b }}" }}',
        "{{ .Chart.a.b }}",
    ],
)
def test_what_only_looks_like_a_read_is_not_known(tmp_path: Path, text: str) -> None:
    assert template(tmp_path, text).knows(("a", "b")) is False


@pytest.mark.parametrize(
    "action",
    [
        "{{ toYaml .Values.a | nindent 2 }}",
        "{{ .Values.a | toYaml }}",
        "{{ with .Values.a }}{{ toYaml . }}{{ end }}",
        "{{ tpl (toYaml .Values.a) . }}",
        "{{ tpl .Values.a . }}",
        "{{ $m := merge dict .Values.a }}",
        '{{ include "not.here" .Values.a }}',
        '{{ include "not.here" (dict "x" .Values.a "y" (list 1)) }}',
        '{{ include (printf "%s.x" .Chart.Name) .Values.a }}',
        '{{ define "t" }}{{ toYaml .extra }}{{ end }}{{ include "t" (dict "extra" .Values.a) }}',
        '{{ $x := dict }}{{ $_ := set $x "k" .Values.a }}',
    ],
)
def test_a_map_that_is_handed_on_as_a_whole_takes_any_key(tmp_path: Path, action: str) -> None:
    found = template(tmp_path, action, "a: {named: {x: 1}}\nb: {x: 1}")
    assert "a" in found.open
    assert found.knows(("a", "any", "depth")) is True
    assert found.knows(("b", "y")) is False


def test_empty_maps_and_nulls_of_the_values_take_any_key(tmp_path: Path) -> None:
    found = capture(tmp_path, {"values.yaml": "a: {}\nb: {c: null, d: '', e: [], f: 1}"})
    assert found.open == ("a", "b.c")
    assert found.knows(("b", "c", "x")) is True
    assert [found.knows(("b", key, "x")) for key in "def"] == [False, False, False]


def test_numbers_full_texts_and_lists_never_become_open_maps(tmp_path: Path) -> None:
    found = template(tmp_path, "{{ toYaml .Values.a }}{{ tpl .Values.b . }}{{ toYaml .Values.c }}", "a: 1\nb: x\nc: []")
    assert found.open == ()


def test_a_map_that_is_ranged_over_takes_any_key_but_its_items_stay_known(tmp_path: Path) -> None:
    text = """
        {{- range $name, $section := .Values.auth }}
        {{ $section.enabled }}
        {{- range $env, $key := $section.keys }}
        {{ $env }}: {{ $key }}
        {{- end }}
        {{- end }}
    """
    found = template(tmp_path, text, "auth: {db: {enabled: true}}")
    assert found.reads == ("auth.*", "auth.*.enabled", "auth.*.keys", "auth.*.keys.*")
    assert found.knows(("auth", "mine", "enabled")) is True
    assert found.knows(("auth", "mine", "keys", "ANY_NAME")) is True
    assert found.knows(("auth", "mine", "enabeld")) is False


def test_a_subchart_that_was_not_there_leaves_the_answer_open(tmp_path: Path) -> None:
    meta = META + "dependencies:\n- {name: store, version: 1.0.0, alias: db}\n"
    found = capture(tmp_path, {"Chart.yaml": meta, "values.yaml": "db: {enabled: true}\nglobal: {version: ''}"})
    assert found.knows(("db", "enabled")) is True
    assert found.knows(("db", "enabeld")) is None
    assert found.knows(("global", "registry")) is None
    assert found.knows(("store", "enabled")) is False


def test_a_named_template_of_an_absent_library_that_sees_all_leaves_the_answer_open(tmp_path: Path) -> None:
    found = template(tmp_path, '{{ include "library.all" . }}', "a: 1")
    assert found.unseen == ("library.all",)
    assert found.knows(("a",)) is True
    assert found.knows(("b",)) is None


def test_a_named_template_of_an_absent_library_that_sees_one_map_leaves_only_that_open(tmp_path: Path) -> None:
    found = template(tmp_path, '{{ include "library.name" (dict "Values" .Values.a) }}')
    assert found.unseen == ()
    assert found.knows(("b",)) is False


def test_a_checksum_of_another_template_is_no_absent_library(tmp_path: Path) -> None:
    found = template(tmp_path, 'x: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}')
    assert found.unseen == ()


def test_a_template_that_calls_itself_is_read_to_an_end(tmp_path: Path) -> None:
    text = '{{ define "t" }}{{ range .items }}{{ .x }}{{ include "t" . }}{{ end }}{{ end }}{{ include "t" .Values.a }}'
    assert "a.items.*.x" in template(tmp_path, text).reads


# Subcharts at hand


SUB = {
    "Chart.yaml": "name: store\nversion: 2.0.0\n",
    "values.yaml": "size: 1\nimage: {repository: store, tag: '2'}\nlabels: {}\n",
    "templates/all.yaml": """
        {{ define "store.port" }}{{ .Values.port }}{{ end }}
        {{- if .Values.rbac }}
        apiVersion: v1
        kind: ClusterRole
        {{- end }}
        ---
        apiVersion: apps/v1
        kind: StatefulSet
        spec:
          template:
            metadata:
              labels: {{ toYaml .Values.labels | nindent 8 }}
            spec:
              x: {{ .Values.global.zone }}
              initContainers: []
              containers:
              - image: busybox:1
                ports: [{containerPort: {{ .Values.port }}}]
    """,
}
PARENT = {
    "Chart.yaml": META + "dependencies:\n- {name: store, version: 2.0.0, alias: db, condition: db.enabled}\n",
    "values.yaml": "db: {enabled: true, size: 5, image: {tag: '3'}}",
    "templates/all.yaml": '{{ include "store.port" . }}',
}


def test_a_subchart_in_the_charts_folder_stands_under_its_key(tmp_path: Path) -> None:
    found = capture(tmp_path, {**PARENT, **{f"charts/store/{name}": text for name, text in SUB.items()}})
    assert found.subcharts[0].captured is True
    assert found.values == {
        "db": {"size": 5, "image": {"repository": "store", "tag": "3"}, "labels": {}, "enabled": True}
    }
    assert found.images == (CapturedImage(path="db.image", keys=("repository", "tag"), repository="store", tag="3"),)
    assert found.open == ("db.labels",)
    # The parent calls the subchart's named template with its own values.
    assert found.reads == ("db.port", "db.rbac", "global.zone", "port")
    assert found.knows(("db", "port")) is True
    assert found.knows(("db", "prot")) is False
    file = "charts/store/templates/all.yaml"
    assert found.cluster_objects == (ClusterObject(kind="ClusterRole", file=file, guards=("db.enabled", "db.rbac")),)
    assert found.hard_coded == (HardCodedImage(image="busybox:1", file=file, line=17, guards=("db.enabled",)),)
    assert found.workloads == (
        Workload(kind="StatefulSet", file=file, guards=("db.enabled",), labels="db.labels", ports=("db.port",)),
    )


def test_a_packed_subchart_is_read_as_well(tmp_path: Path) -> None:
    write(tmp_path, PARENT)
    (tmp_path / "charts").mkdir()
    # Another chart's name may begin with the same word.
    other = pack({"store-operator/Chart.yaml": "name: store-operator\nversion: 1.0.0\n"})
    (tmp_path / "charts" / "store-operator-1.0.0.tgz").write_bytes(other)
    data = pack({f"store/{name}": textwrap.dedent(text).lstrip("\n") for name, text in SUB.items()})
    (tmp_path / "charts" / "store-2.0.0.tgz").write_bytes(data)
    found = capture_chart(tmp_path, source="a test")
    unpacked = capture(tmp_path / "other", {**PARENT, **{f"charts/store/{name}": text for name, text in SUB.items()}})
    assert found == unpacked


# Images


@pytest.mark.parametrize(
    ("line", "image"),
    [
        ("image: busybox:1.36", "busybox:1.36"),
        ('- image: "quay.io:443/a/b:v1"  # why', "quay.io:443/a/b:v1"),
        ("image: 'busybox'", "busybox"),
        ('"image": a/b@sha256:' + "0" * 64, "a/b@sha256:" + "0" * 64),
        ("image: {{ .Values.registry }}/a/b:v1", "a/b:v1"),
        ('image: "{{ .Values.registry }}b:v1"', "b:v1"),
        ('image: {{ "busybox:1.36" }}', "busybox:1.36"),
        ('- { name: {{ .Values.name }}, image: "busybox:1.36", args: [] }', "busybox:1.36"),
        ("- {image: {{ .Values.registry }}/a/b:v1}", "a/b:v1"),
    ],
)
def test_an_image_that_no_value_can_choose_is_hard_coded(tmp_path: Path, line: str, image: str) -> None:
    found = template(tmp_path, f"# a comment\n{line}\n")
    assert found.hard_coded == (HardCodedImage(image=image, file="templates/all.yaml", line=2),)


@pytest.mark.parametrize(
    "line",
    [
        "image: {{ .Values.image }}",
        'image: "{{ .Values.image }}:1.0"',
        "image: a/b:{{ .Values.tag }}",
        'image: {{ .Values.image | default "busybox:1" }}',
        "# image: busybox:1",
        "imagePullPolicy: Always",
        "image:",
    ],
)
def test_an_image_that_a_value_can_choose_is_not_hard_coded(tmp_path: Path, line: str) -> None:
    assert template(tmp_path, line).hard_coded == ()


def test_a_hard_coded_image_says_its_hook_and_its_conditions(tmp_path: Path) -> None:
    text = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {annotations: {}}
        ---
        {{- if and .Values.a.on .Values.b }}
        {{- with .Values.c }}
        apiVersion: v1
        kind: Pod
        metadata:
          annotations:
            "helm.sh/hook": pre-install,pre-upgrade
            "helm.sh/hook-weight": "1"
        spec:
          {{- if or .Values.d .Values.e }}
          image: one:1
          {{- else }}
          image: two:2
          {{- end }}
        {{- end }}
        {{- end }}
        ---
        image: three:3
    """
    first, second, third = template(tmp_path, text).hard_coded
    assert first == HardCodedImage(
        image="one:1",
        file="templates/all.yaml",
        line=15,
        guards=("a.on", "b", "c", "?"),
        hook="pre-install,pre-upgrade",
    )
    assert (second.image, second.guards) == ("two:2", ("a.on", "b", "c", "?"))
    assert (third.guards, third.hook) == ((), None)


@pytest.mark.parametrize(
    ("condition", "guards"),
    [
        (".Values.a", ("a",)),
        ("and .Values.a (and .Values.b .Values.a)", ("a", "b")),
        (".Values.a | default false", ("a",)),
        ("$a", ("x.a",)),
        ("or .Values.a .Values.b", ("?",)),
        ("not .Values.a", ("?",)),
        ('eq .Values.a "x"', ("?",)),
        (".Values.a | default true", ("?",)),
        ("and .Values.a (gt (int .Values.b) 0)", ("a", "?")),
        ('.Capabilities.APIVersions.Has "v1"', ("?",)),
        ('include "t" .', ("?",)),
    ],
)
def test_guards_say_what_must_be_true_and_own_up_to_the_rest(
    tmp_path: Path, condition: str, guards: tuple[str, ...]
) -> None:
    start = '{{ define "t" }}{{ if .Values.a }}true{{ end }}{{ end }}{{ $a := .Values.x.a }}'
    found = template(tmp_path, f"{start}{{{{ if {condition} }}}}\nimage: a:1\n{{{{ end }}}}")
    assert [image.guards for image in found.hard_coded] == [guards]


def test_an_image_in_a_named_template_is_conditional(tmp_path: Path) -> None:
    found = capture(tmp_path, {"templates/_helpers.tpl": '{{ define "t" }}\nimage: a:1\n{{ end }}'})
    assert [(image.line, image.guards) for image in found.hard_coded] == [(2, ("?",))]


def test_images_are_found_in_the_values_and_on_the_lines(tmp_path: Path) -> None:
    values = """
        image: {registry: docker.io, repository: a/web, tag: "", digest: "", pullPolicy: Always}
        job: {image: "quay.io:443/a/job:v3"}
        sub: {image: a/sub, tag: v1}
        git: {repository: https://example.com/a.git}
        global: {version: latest, imageRegistry: ""}
        probe: {image: {repository: a/probe}}
        side: {image: {name: a/side, tag: v2}}
    """
    text = """
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Values.global.version }}"
        image: {{ .Values.job.image }}
        image: {{ .Values.init.image | default "busybox" }}:{{ .Values.init.imageTag | default "latest" }}
        image: {{ include "library.image" (dict "root" .Values.probe.image "global" .Values.global) }}
        image: {{ .Values.side.image.name }}:{{ .Values.side.image.tag }}
        {{- $image := include "mine" . }}
        image: {{ $image }}
        {{- define "mine" }}{{ index .Values.env "WORKER_IMAGE" | default (printf "a:%s" .Values.version) }}{{ end }}
    """
    found = template(tmp_path, text, textwrap.dedent(values))
    assert found.images == (
        CapturedImage(path="env", keys=("WORKER_IMAGE",)),
        CapturedImage(path="image", keys=("registry", "repository", "tag", "digest"), repository="a/web", tag=""),
        CapturedImage(path="init", keys=("image", "imageTag")),
        CapturedImage(path="job", keys=("image",), repository="quay.io:443/a/job", tag="v3"),
        CapturedImage(path="probe.image", keys=("repository",), repository="a/probe"),
        CapturedImage(path="side.image", keys=("tag", "name"), repository="a/side", tag="v2"),
        CapturedImage(path="sub", keys=("image", "tag"), repository="a/sub", tag="v1"),
    )


# Objects


def test_cluster_wide_objects_are_found_and_references_to_them_are_not(tmp_path: Path) -> None:
    text = """
        {{- if .Values.rbac }}
          apiVersion: rbac.authorization.k8s.io/v1
          kind: "ClusterRoleBinding"
          roleRef:
            kind: ClusterRole
          subjects:
          - kind: Namespace
        {{- end }}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: {{ if .Values.wide }}ClusterRole{{ else }}Role{{ end }}
        ---
        apiVersion: v1
        kind: Service
    """
    crds = {"crds/all.yaml": "kind: CustomResourceDefinition\nspec:\n  names:\n    kind: Namespace\n"}
    found = capture(tmp_path, {"templates/all.yaml": text, **crds})
    file = "templates/all.yaml"
    assert found.cluster_objects == (
        ClusterObject(kind="ClusterRoleBinding", file=file, guards=("rbac",)),
        ClusterObject(kind="ClusterRole", file=file, guards=("wide",)),
        ClusterObject(kind="CustomResourceDefinition", file="crds/all.yaml"),
    )


def workload(folder: Path, metadata: str, *, kind: str = "Deployment", rest: str = "") -> Workload:
    text = (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  annotations:\n    {{{{- toYaml .Values.own | nindent 4 }}}}\n"
    )
    text += "spec:\n  selector:\n    matchLabels:\n      {{- toYaml .Values.fixed | nindent 6 }}\n  template:\n"
    text += textwrap.indent(textwrap.dedent(metadata).strip("\n"), "    ")
    found = capture(folder, {"templates/all.yaml": f"{text}\n    spec:\n      x: {{{{ toYaml .Values.no }}}}\n{rest}"})
    assert len(found.workloads) == 1
    return found.workloads[0]


@pytest.mark.parametrize(
    "lines",
    [
        "annotations:\n    {{- toYaml .Values.pod | nindent 8 }}",
        "annotations: {{ toYaml .Values.pod | nindent 8 }}",
        "{{- with .Values.pod }}\n  annotations:\n{{ toYaml . | indent 8 }}\n  {{- end }}",
        "annotations:\n    sum: {{ toYaml .Values.other | sha256sum }}\n    {{- tpl (toYaml .Values.pod) $ | nindent 8 }}",
        "annotations:\n    {{- range $key, $item := .Values.pod }}\n    {{ $key }}: {{ $item | quote }}\n    {{- end }}",
        "annotations:\n    {{- range .Values.pod }}\n    {{ .key }}: {{ .value }}\n    {{- end }}",
        'annotations:\n    {{- include "t" . | nindent 8 }}\n{{- define "t" }}{{ toYaml .Values.pod }}{{ end }}',
        'annotations:\n    {{- include "library.render" (dict "value" .Values.pod "context" $) | nindent 8 }}',
    ],
)
def test_the_map_that_lands_on_the_pods_annotations_is_found(tmp_path: Path, lines: str) -> None:
    found = workload(tmp_path, f"metadata:\n  {lines}\n  labels:\n    {{{{- toYaml .Values.tags | nindent 8 }}}}")
    assert (found.annotations, found.labels) == ("pod", "tags")


def test_a_workload_that_ignores_its_annotations_offers_none(tmp_path: Path) -> None:
    found = workload(tmp_path, "metadata:\n  annotations:\n    checksum: {{ .Values.pod }}\n  labels:\n    a: b")
    assert (found.annotations, found.labels) == (None, None)


def test_labels_that_the_selector_fixes_are_not_offered(tmp_path: Path) -> None:
    lines = "{{- toYaml .Values.{} | nindent 8 }}"
    fixed, free = lines.replace("{}", "fixed", 1), lines.replace("{}", "free", 1)
    assert workload(tmp_path / "1", f"metadata:\n  labels:\n    {fixed}").labels is None
    assert workload(tmp_path / "2", f"metadata:\n  labels:\n    {fixed}\n    {free}").labels == "free"


def test_the_map_of_the_pods_is_preferred_to_common_ones(tmp_path: Path) -> None:
    line = "{{- toYaml .Values.NAME | nindent 8 }}"
    names = ["commonAnnotations", "annotations", "podAnnotations"]
    lines = "\n    ".join(line.replace("NAME", name) for name in names)
    assert workload(tmp_path, f"metadata:\n  annotations:\n    {lines}").annotations == "podAnnotations"


def test_container_ports_are_numbers_or_paths(tmp_path: Path) -> None:
    rest = """
      containers:
      - ports:
        - containerPort: 8080
        - {name: m, containerPort: {{ .Values.ports.metrics }} }
        - containerPort: {{ include "port" . }}
        - containerPort: {{ .Values.ports.admin | default 9 | int }}
        - containerPort: 8080
{{- define "port" }}
7070
{{- end }}
"""
    found = workload(tmp_path, "metadata: {}", rest=rest)
    assert found.ports == (8080, "ports.metrics", 7070, "ports.admin", 9)


def test_jobs_know_their_hook_and_test_pods_their_own_metadata(tmp_path: Path) -> None:
    text = """
        apiVersion: batch/v1
        kind: Job
        metadata: {}
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          annotations:
            helm.sh/hook: test
            {{- toYaml .Values.pod | nindent 4 }}
    """
    file = "templates/all.yaml"
    assert template(tmp_path, text).workloads == (
        Workload(kind="Job", file=file),
        Workload(kind="Pod", file=file, annotations="pod", hook="test"),
    )


def test_notes_for_people_are_read_but_show_no_objects(tmp_path: Path) -> None:
    found = capture(tmp_path, {"templates/NOTES.txt": "image: a:1\n{{ .Values.note }}"})
    assert found.hard_coded == ()
    assert found.reads == ("note",)


# Packed charts


def test_a_packed_chart_gives_the_same_facts_and_a_digest(tmp_path: Path) -> None:
    files = {"Chart.yaml": META, "values.yaml": "a: {}\n", "templates/all.yaml": "image: a:1\n"}
    data = pack({f"small/{name}": text for name, text in files.items()})
    path = tmp_path / "small-1.2.3.tgz"
    path.write_bytes(data)
    found = capture_chart(path, source="a test")
    folder = capture(tmp_path / "small", files)
    assert found.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert load_chart(dump_chart(found)) == found
    assert (found.values, found.hard_coded, found.open) == (folder.values, folder.hard_coded, folder.open)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pack({"small/Chart.yaml": META, "small/../../x": ""}), "must lie in the chart's folder"),
        (pack({"/small/Chart.yaml": META}), "must lie in the chart's folder"),
        (pack({"small/Chart.yaml": META, "small\\..\\x": ""}), "must lie in the chart's folder"),
        (pack({"small/Chart.yaml": META}, link=tarfile.SYMTYPE), "links and devices"),
        (pack({"small/Chart.yaml": META}, link=tarfile.LNKTYPE), "links and devices"),
        (pack({"small/Chart.yaml": META}, pipe=tarfile.FIFOTYPE), "links and devices"),
        (pack({"small/Chart.yaml": META, "./small/Chart.yaml": META}), "it is there twice"),
        (pack({"small/Chart.yaml": META, "other/Chart.yaml": META}), "holds one folder; found other, small"),
        (pack({"small/values.yaml": "{}"}), "Chart.yaml is missing"),
        (b"PK not a chart", "no gzipped tar archive"),
        (pack({"small/Chart.yaml": META})[:-20], "no gzipped tar archive"),
        (gzip.compress(b"text" * 400), "no gzipped tar archive"),
    ],
    ids=str_of_no_bytes,
)
def test_a_packed_chart_that_is_none_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "small.tgz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        capture_chart(path, source="a test")
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_packed_chart_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.tgz"
    path.write_bytes(pack({"small/Chart.yaml": META, "small/big": "x" * 3000}))
    monkeypatch.setattr(chart_files, "MAX_FILE", 2000)
    with pytest.raises(InputError, match="it has 3000 bytes; at most 2000 are allowed"):
        capture_chart(path, source="a test")
    monkeypatch.setattr(chart_files, "MAX_TOTAL", 2500)
    with pytest.raises(InputError, match="it unpacks to more than 2500 bytes"):
        capture_chart(path, source="a test")


# What is wrong


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"Chart.yaml": "name: x\n"}, "Chart.yaml: 'version' is missing"),
        ({"Chart.yaml": "[]"}, "Chart.yaml: found list, expected a map"),
        ({"Chart.yaml": META + "dependencies:\n- {version: 1}\n"}, "a dependency has no name"),
        ({"values.yaml": "a: 1\nb: [\n"}, "values.yaml:3: this is not YAML"),
        ({"values.yaml": "- a\n"}, "values.yaml: found list, expected a map"),
        ({"values.yaml": "a: !!binary aGk=\n"}, "values.yaml: found bytes"),
        ({"values.yaml": "a: !!python/object:os.system {}\n"}, "values.yaml:1: this is not YAML"),
        ({"values.yaml": "a: &a [*a]\n"}, "nested too deeply"),
        ({"templates/a.yaml": "x\n{{ if .Values.a }}\n"}, r"a\.yaml:2: this is no template: 'if' has no end"),
        ({"templates/a.yaml": "x\n\n{{ end }}\n"}, r"a\.yaml:3: this is no template: 'end' ends nothing"),
        ({"templates/a.yaml": "{{ .a.b"}, r"a\.yaml:1: this is no template: an action is not closed"),
        ({"templates/a.yaml": "{{ a % b }}"}, "unexpected '%' in an action"),
        ({"templates/a.yaml": "{{ (a }}"}, "a parenthesis is not closed"),
        ({"templates/a.yaml": "{{ if a }}" * 5000}, "nested too deeply"),
    ],
)
def test_what_is_wrong_in_a_chart_is_named_with_its_file(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        capture(tmp_path, files)


def test_all_broken_templates_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        capture(tmp_path, {"templates/a.yaml": "{{ end }}", "templates/b.yaml": "{{ else }}"})
    assert len(caught.value.problems) == 2


def test_anchors_that_would_grow_without_end_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(InputError, match="more than 200000 entries"):
        capture(tmp_path, {"values.yaml": "\n".join(lines)})


def test_a_folder_without_a_chart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Chart\.yaml is missing"):
        capture_chart(tmp_path, source="a test")


# For any values


def trees() -> st.SearchStrategy[dict[str, object]]:
    names = st.from_regex(r"[a-z][A-Za-z0-9_]{0,5}", fullmatch=True)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.floats(allow_nan=False, allow_infinity=False)
    )
    return st.dictionaries(
        names,
        st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)),
        max_size=4,
    )


def paths(tree: object, steps: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    here = [steps] if steps else []
    if isinstance(tree, dict):
        return [*here, *(path for key, item in tree.items() for path in paths(item, (*steps, str(key))))]  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] -- a tree of any values
    return here


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(values=trees(), read=st.lists(st.from_regex(r"[a-z][A-Za-z]{0,3}", fullmatch=True), min_size=1, max_size=4))
def test_every_value_and_every_read_is_known_and_survives_the_file(
    tmp_path: Path, values: dict[str, object], read: list[str]
) -> None:
    found = template(tmp_path, f"{{{{ .Values.{'.'.join(read)} }}}}", yaml.safe_dump(values))
    assert found.values == values
    for path in [*paths(values), tuple(read)]:
        assert found.knows(path) is True
    assert found.knows(("no such key",)) is False
    assert load_chart(dump_chart(found)) == found
