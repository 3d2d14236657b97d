"""The images that the testbed makes: each starts under Pod Security's ``restricted``, and answers."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from e2e.workloads import Manifest, apply, container, pod, pod_spec, service
from testbed import images
from testbed.cluster import Cluster
from testbed.keycloak import ADMIN
from testbed.rest import ask

pytestmark = pytest.mark.real_server
ROOT = Path(__file__).parent.parent.parent
SECRET = 'it\'s a "secret" $word'
SCRATCH: Manifest = {"emptyDir": {}}


def wait_ready(cluster: Cluster, namespace: str, name: str, patience: int = 60) -> None:
    words = ("--namespace", namespace, "--for=condition=Ready", f"--timeout={patience}s")
    cluster.kubectl("wait", *words, f"pod/{name}")


def test_postgres_lets_in_who_has_the_password(cluster: Cluster, namespace: str) -> None:
    import psycopg

    image = cluster.import_image(images.postgres())
    cluster.kubectl(
        "create", "secret", "generic", "pg", f"--namespace={namespace}", f"--from-literal=password={SECRET}"
    )
    main = container(
        image,
        environment={"POSTGRES_PASSWORD_FILE": "/secrets/password", "POSTGRES_USER": "app", "POSTGRES_DB": 'my "data"'},
        mounts={"data": "/var/lib/postgresql/data", "tmp": "/tmp", "secrets": "/secrets"},
        ready={"exec": {"command": ["pg_isready", "--host=127.0.0.1"]}},
    )
    volumes = {"data": SCRATCH, "tmp": SCRATCH, "secrets": {"secret": {"secretName": "pg"}}}
    apply(cluster, namespace, pod("pg", pod_spec(main, volumes=volumes)), service("pg", sql=5432))
    wait_ready(cluster, namespace, "pg")
    with cluster.reach(namespace, "service/pg", 5432) as port:
        where = f"host=127.0.0.1 port={port} user=app dbname='my \"data\"'"
        with psycopg.connect(where, password=SECRET) as connection:
            found = connection.execute("SELECT current_setting('server_version_num')::int / 10000, session_user")
            assert found.fetchone() == (15, "app")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(where, password="wrong")


def test_s3_keeps_what_its_root_user_puts(cluster: Cluster, namespace: str) -> None:
    from minio import Minio
    from minio.error import S3Error

    image = cluster.import_image(images.s3())
    main = container(
        image,
        environment={"ROOT_ACCESS_KEY": "root-user", "ROOT_SECRET_KEY": SECRET},
        mounts={"data": "/data"},
        ready={"tcpSocket": {"port": 7070}},
    )
    apply(cluster, namespace, pod("s3", pod_spec(main, volumes={"data": SCRATCH})), service("s3", api=7070))
    wait_ready(cluster, namespace, "s3")
    with cluster.reach(namespace, "service/s3", 7070) as port:
        where = f"127.0.0.1:{port}"
        root = Minio(where, access_key="root-user", secret_key=SECRET, secure=False, region="us-east-1")
        root.make_bucket("things")
        root.put_object("things", "a/b", io.BytesIO(b"kept"), 4)
        assert root.get_object("things", "a/b").read() == b"kept"
        wrong = Minio(where, access_key="root-user", secret_key="wrong", secure=False, region="us-east-1")
        with pytest.raises(S3Error, match=r"AccessDenied|SignatureDoesNotMatch"):
            wrong.bucket_exists("things")


def test_keycloak_knows_its_first_administrator(cluster: Cluster, namespace: str) -> None:
    image = cluster.import_image(images.keycloak())
    user, password = ADMIN
    main = container(
        image,
        environment={"KC_BOOTSTRAP_ADMIN_USERNAME": user, "KC_BOOTSTRAP_ADMIN_PASSWORD": password},
        mounts={"tmp": "/tmp"},
        ready={"httpGet": {"path": "/realms/master", "port": 8080}},
        memory="1Gi",
    )
    apply(cluster, namespace, pod("keycloak", pod_spec(main, volumes={"tmp": SCRATCH})), service("keycloak", http=8080))
    wait_ready(cluster, namespace, "keycloak", patience=180)
    form = {"grant_type": "password", "client_id": "admin-cli", "username": user, "password": password}
    with cluster.reach(namespace, "service/keycloak", 8080) as port:
        url = f"http://127.0.0.1:{port}/realms/master/protocol/openid-connect/token"
        assert ask("POST", url, form=form)[0] == 200
        assert ask("POST", url, form={**form, "password": "wrong"})[0] == 401


def test_the_hooks_image_runs_its_command(cluster: Cluster, namespace: str, wheel: Path) -> None:
    made = images.kiwi_hooks(ROOT / "packages" / "kiwi-core" / "hooks.lock", wheel)
    image = cluster.import_image(made)
    main = {**container(image), "args": ["--help"]}
    apply(cluster, namespace, pod("hooks", pod_spec(main, restartPolicy="Never")))
    words = ("--namespace", namespace, "--timeout=60s", "--for=jsonpath={.status.phase}=Succeeded")
    cluster.kubectl("wait", *words, "pod/hooks")
    assert "kiwistack hooks job" in cluster.kubectl("logs", "--namespace", namespace, "hooks")


def test_a_python_program_of_ones_own_runs(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.search(r"^click==(\S+) .*\n(    --hash=\S+.*\n)+", locked, re.MULTILINE)
    assert pinned
    lock = tmp_path / "lock"
    lock.write_text(pinned[0].rstrip("\\\n"), encoding="utf-8")
    program = b"import click, pathlib; from importlib import metadata; click.echo(pathlib.Path('data.txt').read_text() + metadata.version('click'))\n"
    made = images.python_image(
        "program",
        "1",
        requirements_lock=lock,
        files={"/app/program.py": program, "/app/data.txt": b"click "},
        entrypoint=("python", "program.py"),
        folder="/app",
    )
    image = cluster.import_image(made)
    apply(cluster, namespace, pod("program", pod_spec(container(image), restartPolicy="Never")))
    words = ("--namespace", namespace, "--timeout=60s", "--for=jsonpath={.status.phase}=Succeeded")
    cluster.kubectl("wait", *words, "pod/program")
    assert cluster.kubectl("logs", "--namespace", namespace, "program").strip() == f"click {pinned[1]}"
