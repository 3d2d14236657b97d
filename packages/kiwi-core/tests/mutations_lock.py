"""The table of mutations: classes of credentials, externals (e)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from contract_changes import Row, both, declares, row, secret, tenant, values
from kiwi_core import Credential, Declaration, External, Rotation, text

LICENCE = External("licence", "it is bought")
KEY = Credential("app", "encryption", rotation=Rotation.DATA_KEY)


def claims(scope: str) -> Callable[[Declaration], Declaration]:
    return lambda declaration: attrs.evolve(declaration, scopes=(scope,))


ROWS: Sequence[Row] = (
    *(
        row(
            "e",
            f"scope-of-the-platform-{name}",
            declares("app", claims(scope)),
            f"scope {scope}",
            "claims it, and it is the platform's",
        )
        for name, scope in (("itself", "kiwistack"), ("of-a-customer", "kiwistack/customer/acme"))
    ),
    row(
        "e",
        "external-that-is-not-there",
        secret("extra", {"licence": LICENCE}),
        "external licence",
        "secrets/licence.age is not there, and no seed gives it: it is bought",
        "kiwistack secrets seal",
    ),
    row(
        "e",
        "external-within-a-text-that-is-not-there",
        secret("extra", {"licence": text("L-{licence}", licence=LICENCE)}),
        "secrets/licence.age is not there",
    ),
    row(
        "e",
        "external-as-a-plain-value",
        values("app", {"config": {"LICENCE": LICENCE}}),
        "release app",
        "config.LICENCE takes the external 'licence' as a plain value",
    ),
    row(
        "e",
        "credential-of-two-classes",
        secret("extra", {"one": KEY, "other": Credential("app", "encryption", encoding=("sha256sum",))}),
        "credential app/encryption",
        "it is said to be data-key and live",
    ),
    row(
        "e",
        "data-key-that-is-rotated",
        both(secret("extra", {"key": KEY}), tenant(generations={"app/encryption": 2})),
        "credential app/encryption",
        "rotated to generation 2",
        "is lost",
    ),
)
