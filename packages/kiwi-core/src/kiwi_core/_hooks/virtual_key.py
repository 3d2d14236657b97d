"""A customer's virtual key at LiteLLM, in a team of the customer's own that has the models and the budget."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import attrs

from kiwi_core._hooks.urls import server_problem
from kiwi_core._hooks.virtual_key_state import VirtualKeyState
from kiwi_core._model.fields import many
from kiwi_core._model.hooks import Hook, Lent
from kiwi_core._model.late import Credential, Quoted, Text
from kiwi_core._model.names import dns_label, slug
from kiwi_core._model.secrets import Sealed, SecretKey

__all__ = ["VirtualKey", "VirtualKeyState"]

DURATION: Final = r"[1-9][0-9]{0,3}(s|m|h|d|w|mo)"
"""What LiteLLM takes as the period of a budget (litellm_core_utils/duration_parser.py)."""


# An Attribute is invariant in its type. Authors' code is unchecked.
def _url(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if problem := server_problem(str(value)):
        raise ValueError(f"{attribute.name}: {problem}")


def _begins_with_sk(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    hint = "LiteLLM's keys begin with 'sk-': text('sk-{key}', key=…)"
    if not isinstance(value, Sealed):
        raise TypeError(f"{attribute.name}: found {type(value).__name__}, expected a secret; {hint}")
    if isinstance(value, Credential | Quoted) or (
        isinstance(value, Text) and not str(next(filter(_is_text, value.segments[:1]), "")).startswith("sk-")
    ):
        raise ValueError(f"{attribute.name}: {hint}")


def _is_text(segment: object) -> bool:
    return isinstance(segment, str)


def _models(instance: object, attribute: attrs.Attribute[Any], value: tuple[object, ...]) -> None:
    many(instance, attribute, value)
    for model in value:
        if not isinstance(model, str) or not model.strip():
            raise ValueError(f"{attribute.name}: found {model!r}, expected the name of a model")
        if value.count(model) > 1:
            raise ValueError(f"{attribute.name}: {model!r} stands twice")


def _default_name(hook: VirtualKey) -> str:
    return f"key-{hook.customer}"


_limit: Final = attrs.validators.optional(attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class VirtualKey(Hook):
    """A customer's virtual key at LiteLLM.

    The key is in a team of the customer's own, ``kiwistack-<customer>``. The team has the models, the budget and the
    limits, so that what was spent stays when the key is another one. The key may call models, and manage nothing.

    With another value, the new key is made first; when the proxy takes it, the one before is deleted, or expires after
    ``grace``. Give customers time to be delivered with the new one. What an operator blocks stays blocked; block the team,
    since a new key is not. Teams and keys bear the owner and the customer in their metadata::

        VirtualKey(
            customer="acme",
            url="http://litellm:4000",
            master=SecretKey("litellm-master-key", "masterkey"),
            key=text("sk-{key}", key=…),
            models=("small", "large"),
            max_budget=200.0,
            budget_duration="30d",
        )

    Attributes:
        name: ``key-<customer>`` by default.
        customer: the customer's slug.
        url: where LiteLLM is.
        master: its master key.
        key: the customer's key; it begins with ``sk-``.
        models: the models that the customer may call; none are all.
        max_budget: US dollars in each ``budget_duration``; None is no end.
        budget_duration: such as ``30d`` or ``1mo``; None is once and for all.
        tpm_limit, rpm_limit: tokens and requests in a minute; None is no end.
        grace: hours that the key before is still taken.
    """

    kind: ClassVar[str] = "virtual-key"

    customer: str = attrs.field(validator=slug)
    name: str = attrs.field(default=attrs.Factory(_default_name, takes_self=True), validator=dns_label)
    url: str = attrs.field(validator=_url)
    master: SecretKey = attrs.field(validator=attrs.validators.instance_of(SecretKey))
    key: Sealed = attrs.field(validator=_begins_with_sk)
    models: tuple[str, ...] = attrs.field(default=(), validator=_models)
    max_budget: float | None = attrs.field(default=None, validator=_limit)
    budget_duration: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.matches_re(DURATION))
    )
    tpm_limit: int | None = attrs.field(default=None, validator=_limit)
    rpm_limit: int | None = attrs.field(default=None, validator=_limit)
    grace: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def desired(self, lent: Lent) -> VirtualKeyState:
        """Return team and key, with both keys as files."""
        return VirtualKeyState(
            owner=lent.owner,
            url=self.url,
            master=lent.secret(self.master),
            customer=self.customer,
            key=lent.secret(self.key),
            models=self.models,
            max_budget=self.max_budget,
            budget_duration=self.budget_duration,
            tpm_limit=self.tpm_limit,
            rpm_limit=self.rpm_limit,
            grace=self.grace,
        )
