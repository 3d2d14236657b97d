"""Charts to render: one with much of what Helm can do, and those that it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

__all__ = ["FOURTH", "REFUSED", "RICH", "Refused", "lay"]

HEAD: Final = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
MAP: Final = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  it: {it}\n"

RICH: Final[Mapping[str, str]] = {
    "Chart.yaml": HEAD.format(name="rich")
    + "kubeVersion: '>=1.30.0-0 <1.40.0 || ^2'\n"
    + "dependencies:\n"
    + "- {name: sub, version: 0.1.0, alias: other, import-values: [{child: given, parent: taken}]}\n"
    + "- {name: sub, version: 0.1.0, condition: sub.on}\n"
    + "- {name: tagged, version: 0.1.0, tags: [extras]}\n"
    + "- {name: left, version: 0.1.0, condition: left.on}\n",
    "values.yaml": "a: 1\nbig: 12345678\nfloat: 1.5\nnull_me: {x: 1}\nlist: [1, 2]\nglobal: {g: 1}\nleft: {on: false}\ntags: {extras: false}\n",
    "values.schema.json": '{"type": "object", "properties": {"a": {"type": "integer"}}}',
    ".helmignore": "secret.txt\n",
    "secret.txt": "ignored",
    "file.txt": "from a file: é",
    "crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.x.example}\n",
    "templates/NOTES.txt": "Thank you for {{ .Chart.Name }}\n",
    "templates/_help.tpl": '{{- define "rich.name" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end }}',
    "templates/all.yaml": MAP.format(name='{{ include "rich.name" . }}', it="{{ .Values | toJson | quote }}")
    + '  files: {{ .Files.Get "file.txt" | quote }}\n'
    + '  ignored: {{ .Files.Get "secret.txt" | quote }}\n'
    + "  release: {{ .Release | toJson | quote }}\n"
    + "  kubernetes: {{ .Capabilities.KubeVersion.Version }}\n"
    + "  minor: {{ .Capabilities.KubeVersion.Minor | quote }}\n"
    + '  has: {{ .Capabilities.APIVersions.Has "cert-manager.io/v1" | quote }}\n'
    + '  has_not: {{ .Capabilities.APIVersions.Has "other.example/v1" | quote }}\n'
    + '  looked_up: {{ lookup "v1" "Namespace" "" "x" | toJson | quote }}\n'
    + '  tpl: {{ tpl "{{ .Values.big }} {{ .Values.float }}" . | quote }}\n'
    + "  template: {{ .Template.Name }}\n"
    + "  octal: 0o17\n  word: yes\n  time: 12:30:45\n  exponent: 1e3\n",
    "templates/more.yaml": "# a comment\n---# glued to what follows\n"
    + MAP.format(name="one", it="{{ .Values.list | toJson | quote }}")
    + "\n---\n"
    + MAP.format(name="two", it='"{{ range $i := until 3 }}{{ $i }}{{ end }}"')
    + "{{ if .Values.never }}\n---\nnot: rendered\n{{ end }}",
    "templates/list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: in-a-list}}\n",
    "templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n"
     "  annotations: {helm.sh/hook: 'pre-upgrade,pre-install', helm.sh/hook-weight: '5'}\n",
    "templates/tests/test.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\n",
    "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
    "charts/sub/values.yaml": "own: 1\ngiven: {z: 1}\n",
    "charts/sub/templates/a.yaml": MAP.format(name="{{ .Chart.Name }}", it="{{ .Values | toJson | quote }}"),
    "charts/sub/crds/y.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: ys.x.example}\n",
    "charts/tagged/Chart.yaml": "apiVersion: v2\nname: tagged\nversion: 0.1.0\n",
    "charts/tagged/templates/a.yaml": MAP.format(name="tagged", it="x"),
    "charts/left/Chart.yaml": "apiVersion: v2\nname: left\nversion: 0.1.0\n",
    "charts/left/crds/z.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: zs.x.example}\n",
}  # fmt: skip


FOURTH: Final[Mapping[str, str]] = {
    "Chart.yaml": HEAD.format(name="fourth"),
    "templates/a.yaml": "---\n---# glued\n"
    + MAP.format(name="one", it="|+\n    x\n\n\n")
    + "---\n"
    + MAP.format(name="two", it="|+\n    x\n\n\n"),
}
"""What Helm 4 takes apart in another way than Helm 3, which refuses the first lines and cuts blank ones off."""


@attrs.frozen
class Refused:
    """A chart that is not rendered.

    Attributes:
        files: what it differs in.
        said: what the message says, all of it.
        where: the file, and the line where one is known.
    """

    files: Mapping[str, str]
    said: Sequence[str]
    where: str | None = None


FAILING: Final = MAP.format(name="x", it="{{ fail .Values.why }}")
REFUSED: Final[Mapping[str, Refused]] = {
    "kubernetes": Refused({"Chart.yaml": HEAD.format(name="bad") + "kubeVersion: '>=1.99.0'\n"}, (">=1.99.0", "v1.37.0")),
    "dependency": Refused(
        {"Chart.yaml": HEAD.format(name="bad") + "dependencies: [{name: gone, version: 1.0.0}]\n"}, ("missing in charts/", "gone")
    ),
    "library": Refused({"Chart.yaml": HEAD.format(name="bad") + "type: library\n"}, ("library charts are not installable",)),
    "schema": Refused({"values.schema.json": '{"properties": {"why": {"type": "integer"}}}'}, ("why", "got string, want integer")),
    "fail": Refused({"templates/a.yaml": FAILING}, ("because it may",), "bad/templates/a.yaml:6"),
    "nil": Refused({"templates/a.yaml": "\n\na: {{ .Values.x.y }}\n"}, ("nil pointer",), "bad/templates/a.yaml:3"),
    "syntax": Refused({"templates/a.yaml": "a: {{ if }}\n"}, ("missing value for if",), "bad/templates/a.yaml:1"),
    "yaml": Refused({"templates/a.yaml": "apiVersion: v1\na: b: c\n"}, ("bad/templates/a.yaml",), "bad/templates/a.yaml"),
    "required": Refused(
        {"templates/a.yaml": 'a: {{ required "a name is needed" .Values.name }}\n'}, ("a name is needed",), "bad/templates/a.yaml:1"
    ),
}  # fmt: skip


def lay(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a chart's files; return its folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
