"""The demonstration as its users reach it: through the Services of the website and of Keycloak."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import Any

import attrs
import urllib3
from e2e.scene import Customer
from memo_app.memo_hands import PERSON, Browser
from testbed.rest import ask, insist
from testbed.servers import wait_until

__all__ = ["KEYCLOAK", "Site", "reach"]

KEYCLOAK = "http://memo-keycloak:8080"
"""Where Keycloak is, to pods and in what it says of itself."""


@attrs.frozen(kw_only=True)
class Site:
    """The website and Keycloak, each behind a port of loopback.

    Attributes:
        website, keycloak: their addresses.
        credentials: what each credential is, by its name.
    """

    website: str
    keycloak: str
    credentials: Mapping[str, str] = attrs.field(repr=False)

    def token(self) -> str:
        """Return an access token of the application's own client."""
        form = {
            "grant_type": "client_credentials",
            "client_id": "memo",
            "client_secret": self.credentials["memo/oidc/memo"],
        }
        return str(
            insist(ask("POST", f"{self.keycloak}/realms/memo/protocol/openid-connect/token", form=form))["access_token"]
        )

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
        """Ask the website's API."""
        return ask(method, f"{self.website}{path}", body, token=token)

    def browser(self) -> Browser:
        """Return a browser in which the realm's one person has signed in, on Keycloak's page."""
        browser = Browser(self.website, {KEYCLOAK: self.keycloak})
        answer = browser.sign_in(PERSON, self.credentials["memo-backends/person"])
        assert answer.status == 200, answer.data
        assert PERSON in answer.data.decode()
        return browser

    def attach(self, token: str, memo: str, content: bytes) -> bytes:
        """Attach a file to a memo; return what is read back."""
        url, headers = f"{self.website}/api/memos/{memo}/attachment", {"Authorization": f"Bearer {token}"}
        with urllib3.PoolManager(retries=False, timeout=30) as pool:
            text = {**headers, "Content-Type": "text/plain"}
            assert pool.request("PUT", f"{url}?name=list.txt", body=content, headers=text).status == 200
            return pool.request("GET", url, headers=headers).data

    def works(self) -> str:
        """See that memos are written, read and worked on, with an attachment; return the id of the one made for that."""
        token, content = self.token(), b"milk\nbread\n" * 100
        status, made = self.ask("POST", "/api/memos", {"text": "buy milk and bread"}, token=token)
        assert status == 201, made
        memo = str(made["id"])
        assert self.attach(token, memo, content) == content
        done: dict[str, Any] = {}  # Any: as above

        def is_done() -> bool:
            done.update(self.ask("GET", f"/api/memos/{memo}", token=token)[1])
            return bool(done["is_done"] and done["attachment"]["sha256"])

        assert wait_until(is_done, patience=30, pause=0.2), done
        assert done["words"] == 4
        return memo


@contextlib.contextmanager
def reach(customer: Customer) -> Generator[Site]:
    """Reach the website and Keycloak of a customer who has the demonstration."""
    cluster, namespace = customer.platform.cluster, customer.namespace
    with (
        cluster.reach(namespace, "service/memo", 80) as website,
        cluster.reach(namespace, "service/memo-keycloak", 8080) as keycloak,
    ):
        yield Site(
            website=f"http://127.0.0.1:{website}",
            keycloak=f"http://127.0.0.1:{keycloak}",
            credentials=customer.derived(),
        )
