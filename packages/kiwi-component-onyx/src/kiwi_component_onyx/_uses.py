"""What Onyx uses."""

from __future__ import annotations

from typing import Final

from kiwi_core import Bucket, Ingress, LlmGateway, Oidc, Postgres, Redis, SearchGateway, Smtp

from kiwi_component_onyx._opensearch import OpenSearch

__all__ = ["CACHE", "DB", "FILES", "INDEX", "INGRESS", "LLM", "MAIL", "SEARCH", "SIGN_IN"]

DB: Final = Postgres("onyx")
FILES: Final = Bucket("onyx-files")
CACHE: Final = Redis("onyx")
INDEX: Final = OpenSearch("onyx")
SIGN_IN: Final = Oidc("onyx")
MAIL: Final = Smtp("onyx")
LLM: Final = LlmGateway("onyx")
SEARCH: Final = SearchGateway("onyx")
INGRESS: Final = Ingress("onyx")
