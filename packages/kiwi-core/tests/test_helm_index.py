"""What a classic Helm repository says of a version of a chart."""

from __future__ import annotations

import pytest
from kiwi_core._deliver.helm_index import read_entry, read_versions

INDEX = """\
apiVersion: v1
entries:
  other:
    - {version: 9.9.9, urls: [no]}
  app:
    - version: 1.2.0
      name: app
      digest: sha256:abc
      urls:
        - https://charts.example/app-1.2.0.tgz
        - mirror/app-1.2.0.tgz
      dependencies:
        - {name: redis, version: 7.0.0, urls: [no]}
      maintainers: [{name: x, url: y}]
    - urls: [app-v1.1.0.tgz]
      version: v1.1.0
    - {version: 1.0.0}
generated: now
"""


def test_versions_and_their_places_are_read() -> None:
    assert read_versions(INDEX, "app") == ["1.2.0", "v1.1.0", "1.0.0"]
    entry = read_entry(INDEX, "app", "1.2.0")
    assert entry is not None
    assert entry.urls == ["https://charts.example/app-1.2.0.tgz", "mirror/app-1.2.0.tgz"]
    assert entry.digest == "sha256:abc"


def test_a_leading_v_may_be_on_one_side_only() -> None:
    entry = read_entry(INDEX, "app", "1.1.0")
    assert entry is not None
    assert entry.urls == ["app-v1.1.0.tgz"]


def test_what_is_not_there_is_not_there() -> None:
    assert read_entry(INDEX, "app", "7.0.0") is None
    assert read_entry(INDEX, "nobody", "1.0.0") is None
    assert read_versions(INDEX, "nobody") is None
    bare = read_entry(INDEX, "app", "1.0.0")
    assert bare is not None
    assert (bare.urls, bare.digest) == ([], "")


@pytest.mark.parametrize("text", ["", "a: b", "entries: []", "entries: {app: [", "- entries"])
def test_what_is_no_index_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"entries|YAML"):
        read_entry(text, "app", "1.0.0")
