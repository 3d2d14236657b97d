"""The hook at MariaDB: a database with a user of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from kiwi_core._hooks.mariadb_parts import MariadbServer, collation_name, user_name
from kiwi_core._model.databases import Mariadb, MariadbOffer
from kiwi_core._model.hooks import Hook, Lent, one_use
from kiwi_core.errors import ComposeError, Problem

if TYPE_CHECKING:
    from kiwi_core._hooks.mariadb_state import MariadbDatabaseState

__all__ = ["MariadbDatabase"]


@attrs.frozen(kw_only=True)
class MariadbDatabase(Hook):
    """The database of a use, and its user: both are made, and the user may do everything in it and nothing elsewhere.

    ::

        MariadbDatabase(on=DB)

    A database that is there is taken over with all that it holds; nothing is ever dropped. Its character set, utf8mb4,
    and its collation are for tables that are made from then on.

    Attributes:
        user: the name of its user; by default that of the binding. The password is the binding's.
        collation: such as ``utf8mb4_bin``; by default the server's for utf8mb4.
    """

    kind: ClassVar[str] = "mariadb-database"

    user: str | None = attrs.field(default=None, validator=attrs.validators.optional(user_name))
    collation: str | None = attrs.field(default=None, validator=attrs.validators.optional(collation_name))

    def __attrs_post_init__(self) -> None:
        self._use()

    def _use(self) -> Mariadb:
        return one_use(self, Mariadb, "one Mariadb use")

    def desired(self, lent: Lent) -> MariadbDatabaseState:
        """Return the database and the user at the server that serves the use."""
        from kiwi_core._hooks.mariadb_state import MariadbDatabaseState

        bound, offer = lent.binding(self._use()), lent.offer(self._use(), MariadbOffer)
        user = self.user or bound.user
        if user == offer.admin_user:
            hint = "choose another name"
            raise ComposeError(Problem(f"a hook is to make user {user!r}, which is the server's own", hint=hint))
        password = lent.secret(offer.admin)
        return MariadbDatabaseState(
            owner=lent.owner,
            server=MariadbServer(host=bound.host, port=bound.port, user=offer.admin_user, password=password),
            database=bound.database,
            user=user,
            password=lent.secret(bound.password),
            collation=self.collation,
        )
