"""NetworkPolicy for a cluster of one node: what ``networking.k8s.io/v1`` says, as rules of nftables; IPv4 only.

A program that runs in the node's network namespace: ``netpol.py SERVER CA CERTIFICATE KEY``. It follows pods, namespaces
and policies, and after any change replaces the table ``inet netpol`` as a whole. Rules see addresses behind a Service, not
its own. What the node itself sends is never held up (the kubelet's probes), what a pod sends to the node is by egress
rules alone. A pod that is new is open for a moment, and connections that stand are not cut.

It is evidence that policies say what they mean to say, not that a network plugin does what they say.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

__all__ = ["ruleset"]

Object = Mapping[str, Any]  # JSON, as the API server gives it
PATHS = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
SIDES = (("ingress", "saddr", "from"), ("egress", "daddr", "to"))
GATHER = 0.05
"""Seconds in which changes are gathered."""


def ruleset(pods: Sequence[Object], namespaces: Sequence[Object], policies: Sequence[Object]) -> str:
    """Put the policies of a cluster into words that ``nft -f -`` understands."""
    world = _World(pods, namespaces)
    chains: list[str] = []
    jumps: dict[str, list[str]] = {"ingress": [], "egress": []}
    for pod in world.pods:
        own = [policy for policy in policies if world.is_for(policy, pod)]
        for way, side, end in SIDES:
            bound = [policy for policy in own if way.capitalize() in _list(policy["spec"], "policyTypes")]
            if not bound:
                continue
            address = _address(pod)
            name = f"{way}_{address.replace('.', '_')}"
            allowed = [
                f"{match}return"
                for policy in bound
                for rule in _list(policy["spec"], way)
                for match in world.matches(rule, pod, policy["metadata"]["namespace"], way, side, end)
            ]
            lines = [f"ip saddr {address} ip daddr {address} return", *allowed, "counter drop"]
            chains.append(f" chain {name} {{\n  " + "\n  ".join(lines) + "\n }")
            jumps[way].append(f"{address} : jump {name}")
    standing = "  ct state established,related accept"
    egress = [f"  ip saddr vmap {{ {', '.join(jumps['egress'])} }}"] if jumps["egress"] else []
    ingress = [f"  ip daddr vmap {{ {', '.join(jumps['ingress'])} }}"] if jumps["ingress"] else []
    hooks = (("forward", [*egress, *ingress]), ("input", egress))
    for hook, lines in hooks:
        opening = f" chain {hook} {{\n  type filter hook {hook} priority filter - 5; policy accept;"
        chains.append("\n".join([opening, standing, *lines, " }"]))
    begin = "table inet netpol\ndelete table inet netpol\ntable inet netpol {"
    return "\n".join([begin, *chains, "}"]) + "\n"


class _World:
    """The pods that have a network of their own, and the labels of the namespaces."""

    def __init__(self, pods: Sequence[Object], namespaces: Sequence[Object]) -> None:
        own = [pod for pod in pods if not pod["spec"].get("hostNetwork") and pod["status"].get("podIP")]
        alive = [pod for pod in own if pod["status"].get("phase") in {"Pending", "Running"}]
        self.pods = sorted(alive, key=_address)
        self._labels = {space["metadata"]["name"]: _labels(space) for space in namespaces}

    def is_for(self, policy: Object, pod: Object) -> bool:
        same = policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        return same and _selects(_map(policy["spec"], "podSelector"), _labels(pod))

    def matches(self, rule: Object, pod: Object, namespace: str, way: str, side: str, end: str) -> Iterator[str]:
        """What nft calls the connections that a rule of a policy allows to or from a pod."""
        peers = _list(rule, end)
        if not peers:
            yield from self._anywhere(rule, pod, way)
        for peer in peers:
            if "ipBlock" in peer:
                block = _block(peer["ipBlock"], side)
                yield from (f"{block}{port}" for port in _ports(rule, pod if way == "ingress" else None))
                continue
            for other in self._chosen(peer, namespace):
                ports = _ports(rule, pod if way == "ingress" else other)
                yield from (f"ip {side} {_address(other)} {port}" for port in ports)

    def _anywhere(self, rule: Object, pod: Object, way: str) -> Iterator[str]:
        named = any(isinstance(port.get("port"), str) for port in _list(rule, "ports"))
        if way == "ingress" or not named:
            yield from _ports(rule, pod)
            return
        for other in self.pods:  # whose port has that name differs from pod to pod
            yield from (f"ip daddr {_address(other)} {port}" for port in _ports(rule, other))

    def _chosen(self, peer: Object, namespace: str) -> Iterator[Object]:
        for pod in self.pods:
            home = pod["metadata"]["namespace"]
            spaces = peer.get("namespaceSelector")
            near = home == namespace if spaces is None else _selects(spaces, self._labels.get(home, {}))
            if near and _selects(_map(peer, "podSelector"), _labels(pod)):
                yield pod


def _ports(rule: Object, target: Object | None) -> Iterator[str]:
    """What nft calls a rule's ports, "" for any; the target is the pod that is connected to, None where it is no pod."""
    if not _list(rule, "ports"):
        yield ""
    for port in _list(rule, "ports"):
        protocol, number = port.get("protocol", "TCP"), port.get("port")
        low = protocol.lower()
        if number is None:
            yield f"meta l4proto {low} "
        elif isinstance(number, str):
            yield from (f"{low} dport {found} " for found in (_named(target, number, protocol) if target else ()))
        else:
            last = f"-{port['endPort']}" if port.get("endPort") else ""
            yield f"{low} dport {number}{last} "


def _named(pod: Object, name: str, protocol: str) -> Iterator[int]:
    for container in [*_list(pod["spec"], "containers"), *_list(pod["spec"], "initContainers")]:
        for port in _list(container, "ports"):
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                yield port["containerPort"]


def _block(block: Object, side: str) -> str:
    but = f"ip {side} != {{ {', '.join(block['except'])} }} " if _list(block, "except") else ""
    return f"ip {side} {block['cidr']} {but}"


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in _map(selector, "matchLabels").items()):
        return False
    for wanted in _list(selector, "matchExpressions"):
        value = labels.get(wanted["key"])
        holds = {
            "In": value in _list(wanted, "values"),
            "NotIn": value not in _list(wanted, "values"),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[wanted["operator"]]:
            return False
    return True


def _labels(value: Object) -> Mapping[str, str]:
    return _map(value["metadata"], "labels")


def _list(value: Object, key: str) -> Sequence[Any]:  # Any: as above
    """What stands there, which may also be nothing or null."""
    found: Sequence[Any] | None = value.get(key)
    return found or ()


def _map(value: Object, key: str) -> Object:
    """As above."""
    found: Object | None = value.get(key)
    return found or {}


def _address(pod: Object) -> str:
    address: str = pod["status"]["podIP"]
    return address


class _Follower(threading.Thread):
    """Keeps what there is of a kind, and says when it changed."""

    def __init__(self, server: str, trust: ssl.SSLContext, path: str, changed: threading.Event) -> None:
        super().__init__(daemon=True)
        self._server, self._trust, self._path, self._changed = urlsplit(server), trust, path, changed
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], Object] | None = None

    def objects(self) -> Sequence[Object] | None:
        """All of them; None before the first answer."""
        with self._lock:
            return None if self._objects is None else list(self._objects.values())

    def run(self) -> None:
        while True:
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 — whatever it was, without this thread no policy holds
                _say(f"{self._path}: {error}")
                time.sleep(0.5)

    def _follow(self) -> None:
        host, port = self._server.hostname or "", self._server.port
        with contextlib.closing(
            http.client.HTTPSConnection(host, port, context=self._trust, timeout=330)
        ) as connection:
            connection.request("GET", self._path)
            response = connection.getresponse()
            listed = json.load(response)
            if response.status != 200:
                raise OSError(listed.get("message"))
            with self._lock:
                self._objects = {_key(value): value for value in listed["items"]}
            self._changed.set()
            version = listed["metadata"]["resourceVersion"]
            options = f"watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion={version}"
            connection.request("GET", f"{self._path}?{options}")
            for line in connection.getresponse():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._take(event["type"], event["object"])

    def _take(self, kind: str, value: Object) -> None:
        if kind == "BOOKMARK":
            return
        with self._lock:
            assert self._objects is not None
            if kind == "DELETED":
                self._objects.pop(_key(value), None)
            else:
                self._objects[_key(value)] = value
        self._changed.set()


def _key(value: Object) -> tuple[str, str]:
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _say(message: str) -> None:
    sys.stdout.write(f"{time.strftime('%T')} {message}\n")
    sys.stdout.flush()


def main() -> None:
    """Enforce policies until somebody ends this process."""
    server, authority, certificate, key = sys.argv[1:5]
    trust = ssl.create_default_context(cafile=authority)
    trust.load_cert_chain(certificate, key)
    changed = threading.Event()
    followers = [_Follower(server, trust, PATHS[kind], changed) for kind in ("pods", "namespaces", "policies")]
    for follower in followers:
        follower.start()
    last = None
    while changed.wait():
        time.sleep(GATHER)
        changed.clear()
        pods, namespaces, policies = (follower.objects() for follower in followers)
        if pods is None or namespaces is None or policies is None:
            continue
        text = ruleset(pods, namespaces, policies)
        if text == last:
            continue
        done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            _say(f"nft: {done.stderr}")
            changed.set()
            time.sleep(1)
            continue
        last = text
        _say(f"{text.count('counter drop')} pods' sides are bound")


if __name__ == "__main__":
    main()
