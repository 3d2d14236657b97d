"""A customer who has memos, and the servers that they need."""

from kiwi_component_memo import Memo, MemoBackends
from kiwi_core import Tenant

tenant = Tenant(
    slug="demo",
    domain="demo.example",
    cluster="demo-1",
    components=(
        MemoBackends(),
        Memo(),
    ),
)
