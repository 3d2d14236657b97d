"""Whom the parts of the cluster trust: an authority of its own, their certificates, and kubeconfigs that hold them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import attrs
from testbed.cluster_host import run

__all__ = ["make_certificates", "write_kubeconfig"]

DAYS = "3650"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


@attrs.frozen(kw_only=True)
class _Party:
    """Who gets a certificate: its name, its group, what it is for, and the names and addresses that it serves."""

    name: str
    group: str | None = None
    usage: str = "clientAuth"
    serves: str | None = None


def make_certificates(folder: Path, *, node: str, node_address: str, service_address: str) -> None:
    """Make the authority, a certificate for each part of the cluster, and the key that signs service accounts' tokens.

    Args:
        folder: gets ``ca.crt``, ``<part>.crt``, ``<part>.key``, ``sa.key`` and ``sa.pub``.
        node: the name of the node.
        node_address: where the API server and the kubelet listen.
        service_address: that of the Service ``kubernetes``.

    Raises:
        ToolError: openssl failed.
    """
    inside = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    everywhere = f"DNS:localhost,IP:127.0.0.1,IP:{node_address},IP:{service_address}"
    parties = {
        "apiserver": _Party(name="kube-apiserver", usage="serverAuth", serves=f"{inside},{everywhere}"),
        "apiserver-kubelet-client": _Party(name="kube-apiserver-kubelet-client", group="system:masters"),
        "admin": _Party(name="admin", group="system:masters"),
        "controller-manager": _Party(name="system:kube-controller-manager"),
        "scheduler": _Party(name="system:kube-scheduler"),
        "kube-proxy": _Party(name="system:kube-proxy"),
        "kubelet": _Party(
            name=f"system:node:{node}",
            group="system:nodes",
            usage="clientAuth,serverAuth",
            serves=f"DNS:{node},IP:{node_address}",
        ),
    }
    folder.mkdir(mode=0o700, parents=True)
    authority = {"basicConstraints": "critical,CA:TRUE", "keyUsage": "critical,keyCertSign,cRLSign,digitalSignature"}
    _make(folder, "ca", "/CN=kiwistack-testbed", authority)
    for part, party in parties.items():
        extensions = {"keyUsage": "digitalSignature,keyEncipherment", "extendedKeyUsage": party.usage}
        if party.serves:
            extensions["subjectAltName"] = party.serves
        subject = f"/O={party.group}/CN={party.name}" if party.group else f"/CN={party.name}"
        _make(folder, part, subject, extensions, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key")
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "sa.key"])
    run(["openssl", "ec", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"])


def write_kubeconfig(path: Path, certificates: Path, party: str, server: str) -> None:
    """Write a kubeconfig with a party's certificate and key in it; nobody else may read it."""
    encoded = {
        name: base64.b64encode((certificates / name).read_bytes()).decode()
        for name in ("ca.crt", f"{party}.crt", f"{party}.key")
    }
    user = {
        "client-certificate-data": encoded[f"{party}.crt"],
        "client-key-data": encoded[f"{party}.key"],
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": server, "certificate-authority-data": encoded["ca.crt"]}}
        ],
        "users": [{"name": party, "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": party}}],
        "current-context": "testbed",
    }
    path.touch(0o600)
    path.write_text(json.dumps(config), encoding="utf-8")


def _make(folder: Path, name: str, subject: str, extensions: Mapping[str, str], *signer: str | Path) -> None:
    lines = ["[req]", "distinguished_name=none", "x509_extensions=wanted", "[none]", "[wanted]"]
    lines += [f"{key}={value}" for key, value in extensions.items()]
    config, key, certificate = (folder / f"{name}.{kind}" for kind in ("cnf", "key", "crt"))
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = ("-config", config, "-keyout", key, "-out", certificate)
    run(["openssl", "req", "-x509", "-sha256", "-days", DAYS, "-subj", subject, *CURVE, *files, *signer])
