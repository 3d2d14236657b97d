"""The conformance kits for authors of components and of kinds of hooks.

Put a component on trial among whatever serves it, and look at what comes out; or subclass :class:`ComponentKit` and
get the tests that every component has to pass. The captures that a package ships are read with :func:`load_chart` and
:func:`load_schema`::

    class TestHello(ComponentKit):
        component = Hello(greeting="Hi")

A kind of hook subclasses :class:`HookProofs` and gets the proofs that it heals itself and may run again at any time, on
a real server of its author's.
"""

from __future__ import annotations

from kiwi_core.testing._components import (
    CLUSTER,
    CapturedWorkload,
    ChartCapture,
    ClusterObject,
    ComponentKit,
    HardCodedImage,
    SchemaCapture,
    Trial,
    dump_chart,
    dump_schema,
    load_chart,
    load_schema,
    trial,
)
from kiwi_core.testing._hooks import HookProofs
from kiwi_core.testing._kinds import ProofServer, Rotated

__all__ = [
    "CLUSTER",
    "CapturedWorkload",
    "ChartCapture",
    "ClusterObject",
    "ComponentKit",
    "HardCodedImage",
    "HookProofs",
    "ProofServer",
    "Rotated",
    "SchemaCapture",
    "Trial",
    "dump_chart",
    "dump_schema",
    "load_chart",
    "load_schema",
    "trial",
]
