"""What bad input gets: named errors, all at once, exit code 2, never a traceback, nothing half written."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from kiwi_core.cli import main
from trees import EXAMPLES

TENANT = """\
from kiwi_component_hello import Hello

from kiwi_core import Tenant

tenant = Tenant(
    slug="acme",
    domain="acme.example",
    cluster="core-1",
    components=(Hello(),),
)
"""


@attrs.frozen
class Customer:
    """A customer's repository beside a template and a cluster, all of one's own."""

    root: Path

    @property
    def repo(self) -> Path:
        return self.root / "cust-acme"

    @property
    def spec(self) -> Path:
        return self.repo / "tenant.py"

    @property
    def lane(self) -> Path:
        return self.root / "od-platform" / "environments" / "dev"

    @property
    def out(self) -> Path:
        return self.repo / "generated"

    def overlay(self, text: str | bytes, release: str = "hello") -> None:
        path = self.repo / "overlays" / f"{release}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def replace(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def customer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
    for name in ("od-platform", "core-1"):
        shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=shutil.ignore_patterns("generated"))
    made = Customer(tmp_path)
    made.repo.mkdir()
    shutil.copy(EXAMPLES / "cust-kiwistack" / "kiwi.toml", made.repo)
    made.spec.write_text(TENANT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return made


def spec(old: str, new: str) -> Callable[[Customer], object]:
    return lambda customer: customer.replace(customer.spec, old, new)


def pins(file: str, old: str, new: str) -> Callable[[Customer], object]:
    return lambda customer: customer.replace(customer.lane / file, old, new)


def overlay(text: str | bytes, release: str = "hello") -> Callable[[Customer], object]:
    return lambda customer: customer.overlay(text, release)


def toml(text: str) -> Callable[[Customer], object]:
    def write(customer: Customer) -> None:
        customer.spec.unlink()
        (customer.repo / "tenant.toml").write_text(text, encoding="utf-8")

    return write


def cluster(old: str, new: str, head: str = "") -> Callable[[Customer], object]:
    def write(customer: Customer) -> None:
        path = customer.root / "core-1" / "cluster.py"
        customer.replace(path, old, new)
        customer.replace(path, "from kiwi_core", f"{head}from kiwi_core")

    return write


HEAD = 'slug = "acme"\ndomain = "acme.example"\ncluster = "core-1"\n'

CASES: dict[str, tuple[Callable[[Customer], object], list[str]]] = {
    "unknown component": (toml(HEAD + '[[components]]\nkind = "helo"\n'), ["tenant.toml:", "'helo'", "did you mean 'hello'"]),
    "unknown field": (toml(HEAD + '[[components]]\nkind = "hello"\nreplica = 2\n'), ["tenant.toml:6", "did you mean 'replicas'"]),
    "unknown key": (toml(HEAD + 'slogan = "x"\n'), ["tenant.toml:4", "slogan"]),
    "wrong type in data": (toml(HEAD + '[[components]]\nkind = "hello"\nreplicas = "2"\n'), ["tenant.toml:6", "components[0].replicas"]),
    "wrong type in Python": (spec("Hello()", "Hello(greeting=3)"), ["tenant.py:9", "greeting"]),
    "bool for an int": (spec("Hello()", "Hello(replicas=True)"), ["tenant.py:9", "replicas"]),
    "out of range": (spec("Hello()", "Hello(replicas=0)"), ["tenant.py:9", "replicas"]),
    "bare string for a list": (toml(HEAD + 'components = "hello"\n'), ["tenant.toml:4", "components", "list"]),
    "no tuple": (spec("(Hello(),)", "Hello()"), ["tenant.py:", "components"]),
    "slug that is no label": (spec('"acme"', '"Acme_Inc"'), ["tenant.py:6", "Acme_Inc", "DNS label"]),
    "slug too long": (spec('"acme"', f'"{"a" * 59}"'), ["tenant.py:6", "59 characters", "58"]),
    "domain that is none": (spec('"acme.example"', '"acme"'), ["tenant.py:7", "acme"]),
    "missing field": (spec('    domain="acme.example",\n', ""), ["tenant.py", "domain"]),
    "syntax error": (spec("(Hello(),)", "(Hello(),"), ["tenant.py:5"]),
    "not UTF-8": (lambda customer: customer.spec.write_bytes(b"# \xff\n" + TENANT.encode()), ["tenant.py", "UTF-8"]),
    "a spec that raises": (spec("Hello()", "Hello(nonsense=1)"), ["tenant.py:9", "nonsense"]),
    "a spec that divides by zero": (spec("Hello()", "Hello(replicas=1 // 0)"), ["tenant.py:9", "zero"]),
    "a spec that exits": (spec("tenant = ", "import sys\nsys.exit(3)\ntenant = "), ["tenant.py:6", "ends the process"]),
    "a spec that ends itself": (spec("tenant = ", "import os\nos._exit(0)\ntenant = "), ["tenant.py:6"]),
    "a spec that forks": (spec("tenant = ", "import os\nos.fork()\ntenant = "), ["tenant.py:6", "start a process"]),
    "a module that is not installed": (spec("from kiwi_core", "import nowhere\nfrom kiwi_core"), ["tenant.py:3", "nowhere"]),
    "no tenant in it": (spec("tenant = Tenant", "customer = Tenant"), ["tenant.py", "tenant"]),
    "two of one name": (spec("(Hello(),)", "(Hello(), Hello())"), ["two components are named 'hello'"]),
    "duplicate release": (spec("(Hello(),)", '(Hello(), Hello(name="other"))'), ["release 'hello' is declared twice"]),
    "a bind of nothing": (spec("cluster=", 'bind={"hello/ingres": "x"}, cluster='), ["hello/ingres", "did you mean 'hello/ingress'"]),
    "a bind to nobody": (spec("cluster=", 'bind={"hello/ingress": "x"}, cluster='), ["hello", "ingress", "'x'"]),
    "another cluster": (spec('"core-1"', '"core-2"'), ["core-2", "core-1"]),
    "missing image pin": (pins("images.yaml", "  hello:", "  helo:"), ["images.yaml", "'hello'", "did you mean 'helo'"]),
    "malformed digest": (pins("images.yaml", "1.27.3", "1.27.3@sha256:abc"), ["images.yaml:5", "digest", "64 hexadecimal"]),
    "tag that is a number": (pins("images.yaml", '"1.27.3"', "1.27"), ["images.yaml:5", "1.27"]),
    "chart version range": (pins("charts.yaml", '"0.8.19"', '"^0.8"'), ["charts.yaml:6", "one exact version"]),
    "unknown key in a pin": (pins("charts.yaml", "    name:", "    nmae:"), ["charts.yaml:5", "did you mean 'name'"]),
    "duplicate key in a pin file": (pins("images.yaml", "  onyxBackend:", "  hello:"), ["images.yaml", "hello"]),
    "merge conflict": (pins("images.yaml", "  hello:", "<<<<<<< HEAD\n  hello:"), ["images.yaml:2", "conflict"]),
    "pin files that are missing": (lambda customer: shutil.rmtree(customer.lane), ["charts.yaml", "images.yaml", "no such file"]),
    "overlay of no release": (overlay("a: 1\n", "helo"), ["overlays/helo.yaml", "did you mean 'hello'"]),
    "overlay that is a list": (overlay("- a\n"), ["overlays/hello.yaml", "list", "mapping"]),
    "overlay with duplicate keys": (overlay("greeting: a\ngreeting: b\n"), ["overlays/hello.yaml:2", "greeting"]),
    "alias bomb": (
        overlay("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
        )),
        ["overlays/hello.yaml", "100"],
    ),
    "overlay that is not UTF-8": (overlay(b"greeting: \xff\n"), ["overlays/hello.yaml", "UTF-8"]),
    "ambiguous scalar": (overlay("greeting: yes\n"), ["overlays/hello.yaml:1", "yes", "quote"]),
    "integer too large": (overlay("greeting: 9007199254740993\n"), ["overlays/hello.yaml:1", "2^53"]),
    "unknown key in kiwi.toml": (
        lambda customer: customer.replace(customer.repo / "kiwi.toml", "lane =", "line ="),
        ["kiwi.toml:1", "did you mean 'lane'"],
    ),
    "unknown lane": (
        lambda customer: customer.replace(customer.repo / "kiwi.toml", '"dev"', '"prod"'),
        ["kiwi.toml:1", "prod", "dogfood"],
    ),
    "no kiwi.toml": (lambda customer: (customer.repo / "kiwi.toml").unlink(), ["kiwi.toml", "no such file"]),
    "an app that openDesk does not have": (
        toml(HEAD + '[[components]]\nkind = "opendesk"\napps = ["nextcluod"]\n'), ["tenant.toml:6", "did you mean 'nextcloud'"],
    ),
    "an app without what it depends on": (
        toml(HEAD + '[[components]]\nkind = "onyx"\n'),
        ["'onyx' uses postgres/onyx", "'onyx' uses bucket/onyx-files", "no component of the tenant offers", "2 problems"],
    ),
    "no app at all": (toml(HEAD + '[[components]]\nkind = "opendesk"\napps = []\n'), ["tenant.toml:6", "no app is chosen"]),
    "a gateway that the cluster lacks": (cluster('        IngressNginx(issuer="letsencrypt"),\n', ""), ["'hello' uses ingress/hello", "'core-1' does not offer"]),
    "a gateway among a tenant's components": (
        toml(HEAD + '[[components]]\nkind = "searxng"\n'), ["tenant.toml", "searxng", "is a gateway", "cluster"],
    ),
    "a customer's component in a cluster": (
        cluster("SearXng()", "SearXng(), Hello()", "from kiwi_component_hello import Hello\n"),
        ["cluster.py", "'hello' is no gateway"],
    ),
    "two gateways of one kind": (
        cluster("SearXng()", 'SearXng(), SearXng(name="other")'), ["cluster.py", "kiwi-search-gateway", "one gateway of a kind"],
    ),
    "a customer that the cluster does not serve": (
        cluster('slug="acme"', 'slug="acne"'), ["'acme'", "did you mean 'acne'", "Customer(slug='acme'"],
    ),
    "two customers with one domain": (
        cluster('domain="acme.example"', 'domain="kiwistack.example"'), ["cluster.py", "'kiwistack' and 'acme'", "one domain"],
    ),
    "a customer's domain within another's": (
        cluster('domain="acme.example"', 'domain="wiki.kiwistack.example"'), ["cluster.py", "'wiki.kiwistack.example'", "both"],
    ),
    "two customers with one external port": (
        cluster('domain="acme.example"', 'domain="acme.example", ports=("25/tcp",)'), ["cluster.py", "25/tcp", "address="],
    ),
    "an external port that is none": (
        cluster('domain="acme.example"', 'domain="acme.example", ports=("25",)'), ["cluster.py", "'25'", "10000/udp"],
    ),
    "a customer twice": (cluster('slug="kiwistack"', 'slug="acme"'), ["cluster.py", "'acme' stands twice"]),
    "a domain that the cluster knows otherwise": (
        spec('"acme.example"', '"acme.test"'), ["tenant.py", "'acme.test'", "cluster.py says 'acme.example'"],
    ),
    "two specs": (lambda customer: (customer.repo / "tenant.toml").write_text(""), ["tenant.py and tenant.toml"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_named_and_nothing_is_written(
    name: str, customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, expected = CASES[name]
    spoil(customer)
    code = main(["build", "cust-acme"])
    shown = capsys.readouterr().err
    assert code == 2, shown
    for text in expected:
        assert text in shown, shown
    assert "Traceback" not in shown
    assert not customer.out.exists()


def test_the_unspoilt_customer_builds(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    """Else every case above would be red for another reason."""
    assert main(["build", "cust-acme"]) == 0, capsys.readouterr()
    assert (customer.out / "helmfile.yaml.gotmpl").is_file()


def test_all_problems_of_a_file_are_told_at_once(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    toml('slug = "A"\ndomain = 3\ncluster = "core-1"\nnonsense = 1\n')(customer)
    assert main(["build", "cust-acme"]) == 2
    shown = capsys.readouterr().err
    assert "tenant.toml:1" in shown
    assert "tenant.toml:2" in shown
    assert "tenant.toml:4" in shown
    assert "3 problems" in shown


def test_a_spec_that_is_more_than_a_declaration_is_a_finding(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    spec("tenant = ", "number = sum((1, 2))\ntenant = ")(customer)
    assert main(["build", "cust-acme"]) == 1
    assert "finding: [spec]" in capsys.readouterr().out
    assert not customer.out.exists()


def test_latest_in_dogfood_is_a_finding_with_its_command(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = customer.lane.parent / "dogfood" / "images.yaml"
    customer.replace(path, '"1.27.3"', '"latest"')
    assert main(["build", "cust-acme", "--lane", "dogfood"]) == 1
    shown = capsys.readouterr().out
    assert "images.yaml:5" in shown
    assert "kiwistack pins bump cust-acme --lane dogfood --image hello=" in shown


def test_a_misspelt_overlay_key_is_a_finding(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    customer.overlay("greting: Hi\n")
    assert main(["build", "cust-acme"]) == 1
    shown = capsys.readouterr().out
    assert "overlays/hello.yaml:1" in shown
    assert "did you mean 'greeting'" in shown


def test_a_spec_that_hangs_is_stopped(customer: Customer) -> None:
    """Within its time limit, with its line, and without a process left behind."""
    spec("tenant = ", "import time\ntime.sleep(600)\ntenant = ")(customer)
    done = run(customer, "build", "cust-acme")
    assert done.returncode == 2
    assert "tenant.py:6" in done.stderr


def test_ctrl_c_leaves_nothing_behind(customer: Customer) -> None:
    spec("tenant = ", "import time\ntime.sleep(600)\ntenant = ")(customer)
    process = subprocess.Popen(
        [sys.executable, "-m", "kiwi_core", "build", "cust-acme"],
        cwd=customer.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=20)
    assert process.returncode == 130, shown
    assert "interrupted" in shown
    assert "Traceback" not in shown
    assert not customer.out.exists()


def test_an_unwritable_folder_is_named(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    customer.out.write_text("in the way", encoding="utf-8")
    assert main(["build", "cust-acme"]) == 2
    assert "generated" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(customer: Customer) -> None:
    """A limit on the size of files stands in for a full disk: the write fails in its midst, as there."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "kiwi_core", "build", "cust-acme"],
        cwd=customer.root,
        capture_output=True,
        text=True,
        preexec_fn=limited,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not customer.out.exists()


def test_a_hand_edited_file_is_reported_and_kept(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "cust-acme"]) == 0
    path = customer.out / "helmfile.yaml.gotmpl"
    path.write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert main(["build", "cust-acme"]) == 2
    assert "changed by hand" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
    assert main(["build", "cust-acme", "--force"]) == 0
    assert path.read_text(encoding="utf-8") != "mine"


def run(customer: Customer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiwi_core", *words], cwd=customer.root, capture_output=True, text=True, check=False
    )
