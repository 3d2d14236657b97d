"""Seeds over HTTP: an object that an application's own API has to have, found by some of its fields.

It is made where it is missing, and changed where it differs. What was there before is never deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias, cast

import attrs

from kiwi_core._hooks.http_body import SeedBody, body_of, check_body, leaves_in, part
from kiwi_core._hooks.http_seed_parts import CallState, LoginState, Wanted, check_url
from kiwi_core._hooks.http_seed_state import HttpSeedState
from kiwi_core._model.desired import Mounted
from kiwi_core._model.fields import many
from kiwi_core._model.hooks import Hook, Lent
from kiwi_core._model.secrets import Sealed

__all__ = ["Bearer", "Call", "FormLogin", "HttpSeed", "HttpSeedState"]

PATH: Final = re.compile(r"/[!-~]*")
METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
PLACE: Final = "{id}"
"""Stands for the object's id in a path."""

Attribute: TypeAlias = "attrs.Attribute[Any]"
"""An Attribute is invariant in its type, and authors' code is unchecked."""


def _path(_instance: object, attribute: Attribute, value: object) -> None:
    if not isinstance(value, str) or not PATH.fullmatch(value):
        raise ValueError(f"{attribute.name}: {value!r} is no path such as '/admin/llm/provider'")


def _body(_instance: object, attribute: Attribute, value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{attribute.name}: found {value!r}, expected a mapping")
    check_body(attribute.name, cast("object", value))


def _secret(_instance: object, attribute: Attribute, value: object) -> None:
    if not isinstance(value, Sealed):
        raise TypeError(f"{attribute.name}: found {type(value).__name__}, expected a credential or a key of a Secret")


@attrs.frozen
class Call:
    """A request that changes something.

    Attributes:
        method: ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        path: after the URL, with its query; ``{id}`` is the object's id, where there is one.
        body: what is sent as JSON beside the object.
    """

    method: str = attrs.field(validator=attrs.validators.in_(METHODS))
    path: str = attrs.field(validator=_path)
    body: Mapping[str, SeedBody] = attrs.field(factory=dict[str, SeedBody], validator=_body)


@attrs.frozen(kw_only=True)
class FormLogin:
    """Sign-in by a form, answered with a cookie.

    Attributes:
        path: where the form is sent.
        user, password: the account. Nobody changes its password: a credential for it keeps its generation.
        user_field, password_field: what the form calls them.
        register: makes the account, tried where the form is refused; None where it is there.
    """

    path: str = attrs.field(validator=_path)
    user: str = attrs.field(validator=attrs.validators.min_len(1))
    password: Sealed = attrs.field(validator=_secret)
    user_field: str = "username"
    password_field: str = "password"  # noqa: S105 -- a field's name
    register: Call | None = None

    def __attrs_post_init__(self) -> None:
        if self.register is not None and self.password not in leaves_in(self.register.body):
            raise ValueError("register: its body has no such password: nobody could sign in with the one of this form")


@attrs.frozen
class Bearer:
    """Sign-in by a token that is sent with every request.

    Attributes:
        token: the token.
    """

    token: Sealed = attrs.field(validator=_secret)


@attrs.frozen(kw_only=True)
class HttpSeed(Hook):
    """An object that an application's own API has to have.

    The object is looked for in a list, by some of its fields. What is wanted of it is compared with what is there: the
    server may know more of a mapping, the order of a list does not count. An update sends the object as it was found with
    what is wanted in its place, since most APIs drop what is not sent; a ``PATCH`` sends what is wanted alone.

    What the API masks, such as a key, cannot be compared: name it in ``unread``. It is sent when the object is made, and
    from then on only where ``mark`` tells that it is another one: a short digest of it at the end of a text field, as in
    ``gateway [kiwistack 0f2b1c9a77de]``, which everybody may see who sees the field. Without a mark a rotation does not
    reach the server.

    HTTP has no locks. A run looks again right after it has made the object; where two runs have, ``remove`` takes back
    what this run made a moment ago. Without it, and where two are there from the beginning, the ids are told and nothing
    is done. Objects bear no owner's mark, so none is an orphan. For example, Onyx's provider of language models::

        HttpSeed(
            url="http://onyx-api-service:8080",
            sign_in=FormLogin(
                path="/auth/login",
                user=admin,
                password=password,
                register=Call("POST", "/auth/register", {"email": admin, "password": password}),
            ),
            find="/admin/llm/provider",
            match=("name",),
            wanted={
                "name": "gateway",
                "provider": "litellm_proxy",
                "api_base": llm.url,
                "api_key": llm.key,
                "is_public": True,
                "model_configurations": [{"name": "small", "is_visible": True}],
            },
            unread=("api_key",),
            mark="name",
            with_unread={"api_key_changed": True},
            create=Call("PUT", "/admin/llm/provider?is_creation=true"),
            update=Call("PUT", "/admin/llm/provider"),
            remove=Call("DELETE", "/admin/llm/provider/{id}"),
        )

    Attributes:
        url: where the API is.
        sign_in: how; None for an API that asks nobody.
        find: path of the list, or of the one object that there is.
        items: where in the answer the list stands, as ``data.items``; empty where it is the answer.
        match: fields that tell the object from all others; none where the API has but one, which is there always.
        id_field: the field that holds an object's id.
        wanted: the fields of the object.
        unread: dotted paths in it of what the API does not give back.
        mark: dotted path of a text field that takes the digest of these.
        with_unread: what is sent beside these, whenever they are.
        create, update, remove: the requests; without a match there is nothing to create or remove.
    """

    kind: ClassVar[str] = "http-seed"

    url: str = attrs.field(validator=check_url)
    sign_in: FormLogin | Bearer | None = None
    find: str = attrs.field(validator=_path)
    items: str = ""
    match: tuple[str, ...] = attrs.field(default=(), validator=many)
    id_field: str = "id"
    wanted: Mapping[str, SeedBody] = attrs.field(validator=[_body, attrs.validators.min_len(1)])
    unread: tuple[str, ...] = attrs.field(default=(), validator=many)
    mark: str = ""
    with_unread: Mapping[str, SeedBody] = attrs.field(factory=dict[str, SeedBody], validator=_body)
    create: Call | None = None
    update: Call
    remove: Call | None = None

    def __attrs_post_init__(self) -> None:
        for name in (*self.match, *self.unread):
            if part(self.wanted, name) is None:
                raise ValueError(f"wanted has no {name!r}, which match or unread names")
        for name in self.match:
            if name in self.unread or not isinstance(self.wanted[name], bool | int | float | str):
                raise ValueError(f"match: {name!r} is no field to find an object by: it holds no text and no number")
        if bool(self.mark) != bool(self.mark and self.unread) or self.mark in self.unread:
            raise ValueError(f"mark: {self.mark!r} is for what the API does not give back: name that in unread")
        if self.mark and not isinstance(part(self.wanted, self.mark), str | None):
            raise ValueError(f"mark: {self.mark!r} is to end with a text, and wanted has something else there")
        if bool(self.match) is not bool(self.create):
            raise ValueError("create: the request that makes the object goes with a match that finds it, and only so")
        if self.remove and PLACE not in self.remove.path:
            raise ValueError(f"remove: {self.remove.path!r} has no '{{id}}': it has to say which object")

    def desired(self, lent: Lent) -> HttpSeedState:
        """Return the object, with its secrets as files."""
        login = self.sign_in if isinstance(self.sign_in, FormLogin) else None
        return HttpSeedState(
            owner=lent.owner,
            url=self.url,
            login=None if login is None else _login_of(login, lent.secret),
            bearer=lent.secret(self.sign_in.token) if isinstance(self.sign_in, Bearer) else None,
            find=self.find,
            items=self.items,
            wanted=Wanted(
                match=self.match,
                id_field=self.id_field,
                body=body_of(self.wanted, lent.secret),
                unread=self.unread,
                mark=self.mark,
                with_unread=body_of(self.with_unread, lent.secret),
            ),
            creating=None if self.create is None else _call_of(self.create, lent.secret),
            updating=_call_of(self.update, lent.secret),
            removing=None if self.remove is None else _call_of(self.remove, lent.secret),
        )


def _call_of(call: Call, seal: Callable[[Sealed], Mounted]) -> CallState:
    return CallState(method=call.method, path=call.path, body=body_of(call.body, seal))


def _login_of(login: FormLogin, seal: Callable[[Sealed], Mounted]) -> LoginState:
    return LoginState(
        path=login.path,
        user=login.user,
        password=seal(login.password),
        user_field=login.user_field,
        password_field=login.password_field,
        register=None if login.register is None else _call_of(login.register, seal),
    )
