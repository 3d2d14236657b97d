"""The settings of the cluster's one node and of its control plane: who listens where, and with which flags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from testbed.cluster_host import CGROUP, RUN
from testbed.tools import (
    ETCD,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_PROXY,
    KUBE_SCHEDULER,
    KUBELET,
    obtain,
)

__all__ = [
    "NETWORK",
    "NODE",
    "NODE_ADDRESS",
    "SERVER",
    "SERVICES",
    "SERVICE_ADDRESS",
    "SOCKET",
    "Layout",
    "containerd",
    "control_plane",
    "node",
]

NODE = "node1"
NODE_ADDRESS = "10.200.0.1"
"""Exists in the cluster's network namespace only."""
SERVER = f"https://{NODE_ADDRESS}:6443"
SERVICES = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
PODS = "10.244.0.0/24"
NETWORK = "testbed"
"""What the pods' network is called."""
DOMAIN = "cluster.local"
SOCKET = RUN / "containerd.sock"
Command = Sequence[str | Path]


@attrs.frozen(kw_only=True)
class Layout:
    """Where the cluster keeps what.

    Attributes:
        state: all that is gone when the cluster is.
    """

    state: Path

    @property
    def certificates(self) -> Path:
        """Those of all parts."""
        return self.state / "certificates"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.state / "logs"

    @property
    def volumes(self) -> Path:
        """A folder for each volume that a test asked for."""
        return self.state / "volumes"

    def kubeconfig(self, party: str) -> Path:
        """That of a part, for use inside the cluster's network."""
        return self.state / f"{party}.kubeconfig"


def control_plane(layout: Layout) -> Mapping[str, Command]:
    """Its processes by name, in the order of their start."""
    pki = layout.certificates
    clients, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return {
        "etcd": [
            *(obtain(ETCD), "--name", "testbed", "--data-dir", layout.state / "etcd", "--unsafe-no-fsync"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"testbed={peers}"),
        ],
        "kube-apiserver": [
            *(obtain(KUBE_APISERVER), f"--etcd-servers={clients}", f"--advertise-address={NODE_ADDRESS}"),
            *("--bind-address=0.0.0.0", "--secure-port=6443", f"--client-ca-file={pki}/ca.crt"),
            *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            *(f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=Node,RBAC"),
            *("--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
        ],
        "kube-controller-manager": [
            *(obtain(KUBE_CONTROLLER_MANAGER), f"--kubeconfig={layout.kubeconfig('controller-manager')}"),
            *("--bind-address=127.0.0.1", "--use-service-account-credentials", "--leader-elect=false"),
            *(f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt"),
            *(f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key"),
        ],
        "kube-scheduler": [
            *(obtain(KUBE_SCHEDULER), f"--kubeconfig={layout.kubeconfig('scheduler')}"),
            *("--bind-address=127.0.0.1", "--leader-elect=false"),
        ],
    }


def containerd(layout: Layout, sandbox: str) -> Command:
    """The process that runs containers.

    Args:
        layout: where it keeps what.
        sandbox: the image that holds a pod's namespaces.
    """
    networks = layout.state / "networks"
    networks.mkdir(parents=True, exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(RUN / "addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    network = {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge, ports]}
    (networks / "10-testbed.conflist").write_text(json.dumps(network), encoding="utf-8")
    config = layout.state / "containerd.toml"
    config.write_text(
        f"""version = 2
root = "{layout.state}/containerd"
state = "{RUN}/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox}"
  restrict_oom_score_adj = true   # not every root has CAP_SYS_RESOURCE
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{RUN}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{networks}"
""",
        encoding="utf-8",
    )
    return ["containerd", "--config", config]


def node(layout: Layout) -> Mapping[str, Command]:
    """The processes that make the machine a node, in the order of their start."""
    pki = layout.certificates
    names = layout.state / "resolv.conf"
    names.write_text("nameserver 127.0.0.1\n", encoding="utf-8")
    kubelet: Mapping[str, object] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "clusterDomain": DOMAIN,
        "clusterDNS": [DNS_ADDRESS],
        "resolvConf": str(names),
        "podLogsDir": str(layout.state / "pod-logs"),
        "volumePluginDir": str(layout.state / "volume-plugins"),
        "staticPodPath": "",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    proxy: Mapping[str, object] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "100ms"},  # as a rule a second, in which a Service that is new refuses
        "clientConnection": {"kubeconfig": str(layout.kubeconfig("kube-proxy"))},
        "clusterCIDR": PODS,
        "oomScoreAdj": 0,
        "hostnameOverride": NODE,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
    for name, config in (("kubelet", kubelet), ("kube-proxy", proxy)):
        path = layout.state / f"{name}.json"
        if not path.exists():  # kube-proxy ends when its file is written anew
            path.write_text(json.dumps(config), encoding="utf-8")
    return {
        "kubelet": [
            *(obtain(KUBELET), f"--config={layout.state}/kubelet.json", f"--kubeconfig={layout.kubeconfig('kubelet')}"),
            *(f"--root-dir={layout.state}/kubelet", f"--cert-dir={layout.state}/kubelet/pki"),
            *(f"--hostname-override={NODE}", f"--node-ip={NODE_ADDRESS}", "--v=1"),
        ],
        "kube-proxy": [obtain(KUBE_PROXY), f"--config={layout.state}/kube-proxy.json"],
    }
