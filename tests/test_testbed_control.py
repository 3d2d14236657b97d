"""What the control servers of the testbed promise: they ask who is there, count what is changed, and leave nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from testbed import keycloak as keycloaks
from testbed import rest, tools
from testbed.keycloak import Keycloak
from testbed.kubernetes import Kubernetes
from testbed.servers import HOST, Server, wait_until

pytestmark = pytest.mark.real_server

SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}


@pytest.fixture
def namespace(kubernetes: Kubernetes) -> str:
    return kubernetes.make_namespace()


@pytest.fixture
def realm(keycloak: Keycloak) -> Generator[str]:
    name = keycloak.make_realm("control")
    yield name
    keycloak.delete_realm(name)


def counted(server: Server, call: Callable[[], object]) -> int:
    before = server.changes()
    call()
    return server.changes() - before


def send_and_leave(
    server: Server, path: str, body: object, *, token: str, context: ssl.SSLContext | None = None
) -> None:
    """Post something and go without waiting for an answer, as a client does that is killed."""
    text = json.dumps(body)
    headers = f"HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}"
    kind = f"Content-Type: application/json\r\nContent-Length: {len(text)}"
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection((server.host, server.port)))
        if context:
            client = stack.enter_context(context.wrap_socket(client, server_hostname=server.host))
        client.sendall(f"HEAD / {headers}\r\n\r\n".encode())
        assert client.recv(9)  # the server has taken the connection
        client.sendall(f"POST {path} {headers}\r\n{kind}\r\n\r\n{text}".encode())


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


KILLED = """
import os, signal
from testbed.{module} import {name}
server = {name}().__enter__()
print(server.folder, *(server.pids if hasattr(server, "pids") else [server.pid]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("make", [Kubernetes, Keycloak], ids=lambda make: make.program)
def test_nothing_is_left_where_the_tests_are_killed(make: type[Server]) -> None:
    program = KILLED.format(module=make.__module__.rpartition(".")[2], name=make.__name__)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder, *pids = done.stdout.split()
    assert wait_until(lambda: all(is_gone(int(pid)) for pid in pids) and not Path(folder).exists())


def test_kubernetes_leaves_nothing_where_a_test_fails() -> None:
    def failing_test() -> None:
        with Kubernetes() as server:
            seen.append(server)
            pids.extend(server.pids)
            raise AssertionError("as a test that fails")

    seen: list[Kubernetes] = []
    pids: list[int] = []
    with pytest.raises(AssertionError, match="as a test that fails"):
        failing_test()
    assert len(pids) == 2
    assert all(map(is_gone, pids))
    assert not seen[0].folder.exists()
    with socket.socket() as client:
        assert client.connect_ex((seen[0].host, seen[0].port))


def test_kubernetes_has_the_version_of_the_tool_and_asks_who_is_there(kubernetes: Kubernetes) -> None:
    assert kubernetes.ask("GET", "/version")[1]["gitVersion"] == f"v{tools.KUBE_APISERVER.version}"
    assert kubernetes.ask("GET", "/api/v1/secrets")[0] == 200
    assert kubernetes.ask("GET", "/api/v1/secrets", token="wrong")[0] == 401
    assert rest.ask("GET", f"{kubernetes.url}/api/v1/secrets", ca_file=kubernetes.ca_file)[0] == 403
    with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        rest.ask("GET", kubernetes.url)
    assert not any(kubernetes.admin_token in arguments(pid) for pid in kubernetes.pids)


def test_a_service_account_may_do_what_its_rules_say(kubernetes: Kubernetes, namespace: str) -> None:
    token = kubernetes.make_service_account(namespace, SECRETS)
    path = f"/api/v1/namespaces/{namespace}/secrets"
    assert kubernetes.ask("GET", path, token=token)[0] == 200
    assert kubernetes.ask("POST", path, {"metadata": {"name": "new"}}, token=token)[0] == 403
    assert kubernetes.ask("GET", "/api/v1/namespaces/default/secrets", token=token)[0] == 403


def test_kubernetes_counts_calls_that_are_to_change_something_and_no_others(
    kubernetes: Kubernetes, namespace: str
) -> None:
    reader = kubernetes.make_service_account(namespace, SECRETS)
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    new: Mapping[str, object] = {"metadata": {"name": "new"}}
    applied: Mapping[str, object] = {"apiVersion": "v1", "kind": "Secret", **new}
    nothing: Mapping[str, object] = {}
    review: Mapping[str, object] = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    for method, path, body, status in (
        ("GET", secrets, None, 200),
        ("GET", f"{secrets}/new", None, 404),
        ("GET", f"{secrets}?watch=true&timeoutSeconds=1", None, 200),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, 201),
        ("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/account-none/token", {"spec": nothing}, 404),
        ("POST", f"{secrets}?dryRun=All", new, 201),
    ):
        before = kubernetes.changes()
        assert kubernetes.ask(method, path, body)[0] == status, path
        assert kubernetes.changes() == before, path
    for method, path, body, kind, status in (
        ("POST", secrets, new, "json", 201),
        ("POST", secrets, new, "json", 409),
        ("PUT", f"{secrets}/new", new, "json", 200),
        ("PATCH", f"{secrets}/new", {"data": nothing}, "merge-patch+json", 200),
        ("PATCH", f"{secrets}/new?fieldManager=me", applied, "apply-patch+yaml", 200),
        ("PATCH", f"{secrets}/new?fieldManager=me", applied, "apply-patch+yaml", 200),
        ("DELETE", f"{secrets}/new", None, "json", 200),
        ("DELETE", f"{secrets}/new", None, "json", 404),
        ("DELETE", secrets, None, "json", 200),
    ):
        before = kubernetes.changes()
        assert kubernetes.ask(method, path, body, content_type=f"application/{kind}")[0] == status, (method, path)
        assert kubernetes.changes() == before + 1, (method, path)
    assert counted(kubernetes, lambda: kubernetes.ask("POST", secrets, new, token=reader)) == 1
    assert counted(kubernetes, lambda: kubernetes.ask("POST", secrets, new, token="wrong")) == 0


def test_kubernetes_counts_each_of_many_calls_at_once(kubernetes: Kubernetes, namespace: str) -> None:
    def make(number: int) -> bool:
        body = {"metadata": {"name": f"secret-{number}"}}
        rest.insist(kubernetes.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", body))
        return kubernetes.changes() > before  # whoever has an answer is counted

    before = kubernetes.changes()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make, range(100)))
    assert kubernetes.changes() == before + 100


def test_kubernetes_counts_who_does_not_wait_for_the_answer(kubernetes: Kubernetes, namespace: str) -> None:
    before = kubernetes.changes()
    send_and_leave(
        kubernetes,
        f"/api/v1/namespaces/{namespace}/secrets",
        {"metadata": {"name": "left"}},
        token=kubernetes.admin_token,
        context=ssl.create_default_context(cafile=kubernetes.ca_file),
    )
    assert wait_until(lambda: kubernetes.changes() == before + 1)


def test_kubectl_applies_once(kubernetes: Kubernetes, namespace: str, kubectl: Path, tmp_path: Path) -> None:
    def run(config: Path, *words: str, text: str = "") -> str:
        command = [str(kubectl), "--kubeconfig", str(config), "--namespace", namespace, *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=False)
        return done.stdout or done.stderr

    secret = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "djE="}})
    for said, changes in (("created", 1), ("unchanged", 0)):
        before = kubernetes.changes()
        assert run(kubernetes.kubeconfig, "apply", "-f", "-", text=secret) == f"secret/a {said}\n"
        assert kubernetes.changes() == before + changes
    reader = kubernetes.make_kubeconfig(kubernetes.make_service_account(namespace, SECRETS))
    assert run(reader, "get", "secret", "a", "-o", "name") == "secret/a\n"
    assert "is forbidden" in run(reader, "delete", "secret", "a")


def test_kubernetes_keeps_its_data_while_it_is_down(kubernetes: Kubernetes, namespace: str) -> None:
    token = kubernetes.make_service_account(namespace, SECRETS)
    path = f"/api/v1/namespaces/{namespace}/secrets"
    rest.insist(kubernetes.ask("POST", path, {"metadata": {"name": "kept"}}))
    before, port, pids = kubernetes.changes(), kubernetes.port, kubernetes.pids
    kubernetes.stop()
    assert all(map(is_gone, pids))
    assert kubernetes.changes() == before
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        kubernetes.ask("GET", path)
    kubernetes.start()
    assert kubernetes.ask("GET", f"{path}/kept", token=token)[0] == 200
    assert (kubernetes.changes(), kubernetes.port) == (before, port)


def test_keycloak_asks_who_is_there(keycloak: Keycloak, realm: str) -> None:
    assert keycloak.ask("GET", f"/admin/realms/{realm}")[1]["realm"] == realm
    assert keycloak.ask("GET", f"/admin/realms/{realm}", token="wrong")[0] == 401
    assert rest.ask("GET", f"{keycloak.url}/admin/realms/{realm}")[0] == 401
    status, said = keycloak.sign_in("master", keycloak.admin_user, "wrong")
    assert (status, said["error"]) == (401, "invalid_grant")
    assert keycloak.sign_in("none", keycloak.admin_user, keycloak.admin_password)[0] == 404
    assert keycloak.pid
    assert keycloak.admin_password not in arguments(keycloak.pid)
    assert keycloak.admin_password not in keycloak.log.read_text(encoding="utf-8")


def test_an_admin_may_do_what_the_roles_say(keycloak: Keycloak, realm: str) -> None:
    user, password = keycloak.make_admin(realm, "view-clients")
    client, secret = keycloak.make_admin_client(realm, "view-clients")
    for status, said in (keycloak.sign_in(realm, user, password), keycloak.sign_in_client(realm, client, secret)):
        assert status == 200
        token = said["access_token"]
        assert keycloak.ask("GET", f"/admin/realms/{realm}/clients", token=token)[0] == 200
        assert keycloak.ask("POST", f"/admin/realms/{realm}/clients", {"clientId": "x"}, token=token)[0] == 403
        assert keycloak.ask("GET", f"/admin/realms/{realm}/users", token=token)[0] == 403
        assert keycloak.ask("GET", "/admin/realms/master/clients", token=token)[0] in {401, 403}
    assert keycloak.sign_in(realm, user, "wrong")[0] == 401
    assert keycloak.sign_in_client(realm, client, "wrong")[0] == 401


def test_keycloak_counts_requests_that_are_to_change_something_and_no_others(keycloak: Keycloak, realm: str) -> None:
    user, password = keycloak.make_admin(realm, "view-clients")
    token = keycloak.sign_in(realm, user, password)[1]["access_token"]
    clients = f"/admin/realms/{realm}/clients"
    made = {"clientId": "new"}
    for call in (
        lambda: keycloak.sign_in(realm, user, password),
        lambda: keycloak.sign_in(realm, user, "wrong"),
        lambda: keycloak.ask("GET", clients),
        lambda: keycloak.ask("GET", f"{clients}?clientId=POST%20http://x/admin/"),
        lambda: keycloak.ask("GET", f"/realms/{realm}/.well-known/openid-configuration"),
    ):
        assert counted(keycloak, call) == 0
    for method, path, status in (
        ("POST", clients, 201),
        ("POST", clients, 409),
        ("PUT", f"/admin/realms/{realm}", 204),
        ("PUT", f"/admin/realms/{realm}", 204),
        ("DELETE", f"{clients}/none", 404),
        ("PATCH", clients, 405),
    ):
        before = keycloak.changes()
        assert keycloak.ask(method, path, made if path == clients else {})[0] == status, (method, path)
        assert keycloak.changes() == before + 1, (method, path)
    assert counted(keycloak, lambda: keycloak.ask("POST", clients, made, token=token)) == 1
    allowed = rest.insist(keycloak.ask("POST", f"/admin/realms/{realm}/clients-initial-access", {"count": 1}))["token"]
    before = keycloak.changes()
    registered = keycloak.ask("POST", f"/realms/{realm}/clients-registrations/default", {}, token=allowed)
    assert registered[0] == 201
    assert keycloak.changes() == before + 1


def test_keycloak_counts_each_of_many_requests_at_once(keycloak: Keycloak, realm: str) -> None:
    def make(number: int) -> bool:
        client = {"clientId": f"client-{number}"}
        rest.insist(keycloak.ask("POST", f"/admin/realms/{realm}/clients", client, token=token))
        return keycloak.changes() > before  # whoever has an answer is counted

    token = keycloak.admin_token()
    before = keycloak.changes()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(make, range(100)))
    assert keycloak.changes() == before + 100


def test_keycloak_counts_who_does_not_wait_for_the_answer(keycloak: Keycloak, realm: str) -> None:
    token = keycloak.admin_token()
    before = keycloak.changes()
    send_and_leave(keycloak, f"/admin/realms/{realm}/clients", {"clientId": "left"}, token=token)
    assert wait_until(lambda: keycloak.changes() == before + 1)


def test_keycloak_keeps_its_data_while_it_is_down_and_to_itself(keycloak: Keycloak, realm: str) -> None:
    prepared = keycloaks.obtain()
    database = prepared / "database" / "keycloakdb.mv.db"
    digest = hashlib.sha256(database.read_bytes()).hexdigest()
    user, password = keycloak.make_admin(realm, "view-clients")
    before, port, pid = keycloak.changes(), keycloak.port, keycloak.pid
    keycloak.stop()
    assert pid
    assert is_gone(pid)
    assert keycloak.changes() == before
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        keycloak.ask("GET", "/admin/realms", token="any")
    keycloak.start()
    assert keycloak.sign_in(realm, user, password)[0] == 200
    assert (keycloak.changes(), keycloak.port) == (before, port)
    assert hashlib.sha256(database.read_bytes()).hexdigest() == digest
    assert not (prepared / "data").exists()
