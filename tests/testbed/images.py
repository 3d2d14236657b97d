"""The images of the containers that the tests run in the cluster, made on this machine from what it can get.

Their file systems come from Debian's packages, by mmdebstrap; what runs on top are the tools and servers of this testbed
and the wheels of this workspace. All of them run as a user that is not root, under Pod Security's ``restricted``, on a
root file system that may be read-only where ``/tmp`` is mounted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed import keycloak as keycloaks
from testbed.keycloak_classes import FILE as CLASSES
from testbed.keycloak_classes import make_classes
from testbed.oci import Image, files_layer
from testbed.rootfs import debian, venv
from testbed.tools import COREDNS, PAUSE, VERSITYGW, obtain

__all__ = ["base", "coredns", "keycloak", "kiwi_hooks", "pause", "postgres", "python_image", "s3"]

BASE = ("ca-certificates", "python3", "media-types", "usr-is-merged")  # the last two instead of others that bring Perl
CONTAINERS = Path(__file__).with_name("containers")
"""What the containers start with."""


def pause() -> Image:
    """The image that holds a pod's namespaces."""
    return _single("pause", obtain(PAUSE))


def coredns() -> Image:
    """The cluster's DNS server."""
    return _single("coredns", obtain(COREDNS))


def base() -> Image:
    """Debian with Python 3 and the certificates of the world's authorities."""
    return Image(name="base", tag="1", layers=(debian(*BASE),), command=("/bin/sh",))


def postgres() -> Image:
    """Postgres 15 on port 5432; its data stand in the volume that is mounted at ``/var/lib/postgresql/data``.

    It takes ``POSTGRES_PASSWORD`` or ``POSTGRES_PASSWORD_FILE``, ``POSTGRES_USER`` and ``POSTGRES_DB``, as the official
    image does, and lets nobody in without a password. Its user and group are 999, for ``fsGroup``.
    """
    account = "printf 'postgres:x:999:%s\\n' '999::/var/lib/postgresql:/bin/sh' >> \"$1/etc/passwd\""
    group = "printf 'postgres:x:999:\\n' >> \"$1/etc/group\""
    return Image(
        name="postgres",
        tag="15",
        layers=(
            debian(*BASE, "postgresql-15", setup=(account, group)),
            files_layer({"/usr/local/bin/start-postgres": CONTAINERS / "postgres.sh"}),
        ),
        entrypoint=("start-postgres",),
        command=("-c", "fsync=off"),
        environment={
            "PATH": "/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin",
            "PGDATA": "/var/lib/postgresql/data/pgdata",
            "PGHOST": "/tmp",
        },
        user="999:999",
    )


def s3() -> Image:
    """The Versity S3 Gateway on port 7070; its data stand in the volume that is mounted at ``/data``.

    ``ROOT_ACCESS_KEY`` and ``ROOT_SECRET_KEY`` are its root user; its admin API, which makes users, is on the same port.
    """
    files = {"/usr/local/bin/versitygw": obtain(VERSITYGW), "/usr/local/bin/start-s3": CONTAINERS / "s3.sh"}
    return Image(
        name="s3",
        tag=VERSITYGW.version,
        layers=(debian(*BASE), files_layer(files)),
        entrypoint=("start-s3",),
        environment={
            "VGW_PORT": ":7070",
            "VGW_IAM_DIR": "/data/users",
            "VGW_IAM_CACHE_DISABLE": "true",
            "VGW_META_SIDECAR": "/data/metadata",
            "VGW_VERSIONING_DIR": "/data/versions",
        },
    )


def keycloak() -> Image:
    """Keycloak on port 8080, with an empty database of its own each time.

    ``KC_BOOTSTRAP_ADMIN_USERNAME`` and ``KC_BOOTSTRAP_ADMIN_PASSWORD`` are its first administrator; it starts faster when
    they are ``testbed.keycloak.ADMIN``. What it can be told is what an optimised build can be told; its database is a
    file in ``/tmp``.
    """
    prepared = keycloaks.obtain()
    files = {f"/opt/keycloak/{name}": prepared / name for name in ("lib", "conf", "providers", "themes", "database")}
    layers = (
        debian("openjdk-17-jre-headless", "usr-is-merged", setup=('mkdir -p "$1/usr/share/man/man1"',)),  # Java insists
        files_layer({**files, "/usr/local/bin/start-keycloak": CONTAINERS / "keycloak.sh"}),
    )
    options = " ".join(keycloaks.JAVA_OPTIONS)
    environment = {"KEYCLOAK_JAVA_OPTIONS": options, "PREPARED_ADMIN": "/".join(keycloaks.ADMIN)}
    first = dict(zip(("KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD"), keycloaks.ADMIN, strict=True))
    classes = make_classes(layers, "start-keycloak", {**environment, **first})
    return Image(
        name="keycloak",
        tag=keycloaks.VERSION,
        layers=(*layers, classes),
        entrypoint=("start-keycloak",),
        environment={**environment, "KEYCLOAK_JAVA_OPTIONS": f"{options} -XX:SharedArchiveFile={CLASSES}"},
        user="1000:1000",
    )


def kiwi_hooks(lock_file: Path, *wheels: Path) -> Image:
    """The image of the hooks' jobs, as kiwi-core's Containerfile describes it.

    Args:
        lock_file: kiwi-core's ``hooks.lock``.
        wheels: that of kiwi-core, and those that bring kinds of hooks of their own.

    Raises:
        ToolError: its parts cannot be had.
    """
    return python_image(
        "kiwi-hooks",
        "test",
        requirements_lock=lock_file,
        wheels=wheels,
        entrypoint=("kiwistack", "hooks", "job"),
        environment={"HOME": "/nonexistent"},
        prefix="/opt/kiwistack",
    )


def python_image(
    name: str,
    tag: str,
    *,
    entrypoint: Sequence[str],
    command: Sequence[str] = (),
    requirements_lock: Path | None = None,
    wheels: Sequence[Path] = (),
    files: Mapping[str, Path | bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    prefix: str = "/opt/venv",
    folder: str = "/",
    user: str = "65532:65532",
    on: Image | None = None,
) -> Image:
    """Make the image of a Python program: Debian's Python 3.11, and a virtual environment whose programs are on ``PATH``.

    Args:
        name: without registry and tag.
        tag: as people know it.
        entrypoint: what a container runs.
        command: the arguments, unless a pod gives others.
        requirements_lock: what is installed, with hashes.
        wheels: what is installed on top, without what it needs.
        files: what else stands in the image: bytes, a file or a folder for each path.
        environment: beyond ``PATH``.
        prefix: where the virtual environment stands.
        folder: where the program starts.
        user: a number, never 0.
        on: the image below; None: ``base()``.

    Raises:
        ToolError: its parts cannot be had.
    """
    below = on or base()
    layers = [*below.layers]
    if requirements_lock:
        layers.append(venv(prefix, requirements_lock))
    if wheels:
        layers.append(venv(prefix, *wheels))
    if files:
        layers.append(files_layer(files))
    return Image(
        name=name,
        tag=tag,
        layers=tuple(layers),
        entrypoint=tuple(entrypoint),
        command=tuple(command),
        environment={
            "PATH": f"{prefix}/bin:/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        },
        folder=folder,
        user=user,
    )


def _single(name: str, program: Path) -> Image:
    """An image of one program that needs nothing else."""
    layer = files_layer({f"/{name}": program}, programs=[f"/{name}"])
    return Image(name=name, tag="1", layers=(layer,), entrypoint=(f"/{name}",))
