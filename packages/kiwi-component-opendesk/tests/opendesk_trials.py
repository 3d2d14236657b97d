"""openDesk on trial: on a cluster that has what its certificates need."""

from __future__ import annotations

from typing import Final

import attrs
import kiwi_core.testing
from kiwi_component_opendesk import OpenDesk
from kiwi_core import Lane
from kiwi_core.testing import Trial, trial

CLUSTER: Final = attrs.evolve(kiwi_core.testing.CLUSTER, apis=("cert-manager.io",))


def on_trial(component: OpenDesk, lane: Lane = Lane.DEV) -> Trial:
    return trial(component, lane=lane, cluster=CLUSTER)
