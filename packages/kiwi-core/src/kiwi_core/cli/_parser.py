"""The words of the command, and what each calls."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kiwi_core import __version__

if TYPE_CHECKING:
    from kiwi_core._deliver.seed_source import SeedSource

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- argparse gives it no other name

__all__ = ["parse"]

LANES = ("dev", "dogfood", "stable")
HERE: Final = Path()


def parse(words: Sequence[str]) -> Callable[[], int]:
    """Turn words into a call; argparse prints usage and exits with 2 where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="kiwistack",
        description="Compose open-source parts into one product, prove the contract, build one ordered helmfile.",
    )
    parser.add_argument("--version", action="version", version=f"kiwistack {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _build(commands)
    _render(commands)
    _explain(commands)
    _graph(commands)
    _pins(commands)
    _secrets(commands)
    _apply(commands)
    _diff(commands)
    _verify(commands)
    _hooks(commands)
    _component(commands)
    found, rest = parser.parse_known_args(words)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(found, "path", None) is HERE:
        # PATH behind an option, as in ``rotate NAME --plan PATH``: before 3.12.7, argparse takes it to be left out.
        found.path, rest = Path(rest[0]), []
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options = vars(found)
    module, _, name = str(options.pop("run")).partition(":")
    if "seed_fd" in options:
        options["source"] = _source(options)
    run: Callable[..., int] = getattr(importlib.import_module(f"kiwi_core.cli.{module}"), name)
    return partial(run, **options)


def _add(commands: Commands, name: str, text: str, run: str) -> argparse.ArgumentParser:
    """Add a command; ``run`` is the module and the function that it calls, imported when it is."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def _repository(parser: argparse.ArgumentParser) -> None:
    _path(parser)
    parser.add_argument("--lane", choices=LANES, help="the lane to build for (default: the one in kiwi.toml)")


def _path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", default=HERE, type=Path, metavar="PATH", help="a repository or its spec (default: here)"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="write the result as JSON to stdout")


def _build(commands: Commands) -> None:
    build = _add(commands, "build", "compose, check, and write the tree", "_build:build")
    _repository(build)
    build.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: generated/ in the repository)")
    build.add_argument("--force", action="store_true", help="overwrite files that were changed by hand or are not ours")
    check = _add(commands, "check", "prove the contract and write nothing", "_build:check")
    _repository(check)
    check.add_argument("--strict", action="store_true", help="take what is unproven as a finding")
    check.add_argument(
        "--rendered", action="store_true", help="render, and prove what is about manifests, too; charts are fetched"
    )
    _helm(check)
    _registries(check)
    for parser in (build, check):
        parser.add_argument("--verbose", "-v", action="store_true", help="show what is unproven and what passed, too")
        _json(parser)


def _render(commands: Commands) -> None:
    render = _add(
        commands, "render", "show the manifests of every release, and prove the contract on them", "_render:render"
    )
    _repository(render)
    render.add_argument(
        "--release",
        action="append",
        default=[],
        dest="releases",
        metavar="NAME",
        help="only this one; may be given again",
    )
    render.add_argument("--out", type=Path, metavar="DIR", help="write a file for each release (default: to stdout)")
    render.add_argument(
        "--reveal", action="store_true", help="with the credentials themselves, to stdout; nothing is kept or checked"
    )
    _helm(render)
    _registries(render)
    _seed(render)
    _json(render)


def _helm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--helm", metavar="PROGRAM", help="render with this helm (default: kiwi-core[helm], or else helm on PATH)"
    )
    parser.add_argument("--refresh", action="store_true", help="ask for charts anew, even where they are kept")


def _explain(commands: Commands) -> None:
    parser = _add(
        commands,
        "explain",
        "say where a release, a value, a pin, a policy or a credential comes from",
        "_explain:explain",
    )
    parser.add_argument(
        "name", metavar="NAME", help="a release, release.path.to.value, component, pin, policy or Secret"
    )
    _repository(parser)
    _json(parser)


def _graph(commands: Commands) -> None:
    parser = _add(commands, "graph", "draw the releases by stage and what they use, as SVG", "_graph:graph")
    _repository(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write nodes and edges as JSON, no picture")


def _pins(commands: Commands) -> None:
    group = commands.add_parser("pins", help="list, set, lock and renew pins").add_subparsers(
        required=True, metavar="COMMAND"
    )
    show = _add(group, "show", "list the images and charts that a tenant runs, and their pins", "_pins:show")
    bump = _add(group, "bump", "set pins in charts.yaml and images.yaml, comments kept, in one commit", "_pins:bump")
    lock = _add(group, "lock", "ask the registries for digests and pin by them, in one commit", "_pins:lock")
    outdated = _add(group, "outdated", "ask the registries for newer versions", "_pins:outdated")
    for parser in (show, bump, lock, outdated):
        _repository(parser)
    for parser, form in ((bump, "=VERSION[@DIGEST]"), (lock, "")):
        for what in ("chart", "image"):
            parser.add_argument(
                f"--{what}",
                action="append",
                default=[],
                metavar=f"NAME{form}",
                dest=f"{what}s",
                help=f"a {what} pin; may be given again",
            )
        parser.add_argument("--no-commit", action="store_true", help="leave the edited files to you")
    bump.add_argument(
        "--check-registry", action="store_true", help="ask the registries whether they have these versions"
    )
    lock.add_argument(
        "--all",
        action="store_true",
        dest="everything",
        help="compare those that have a digest with the registries, too",
    )
    lock.add_argument("--repin", action="store_true", help="take the registry's digest where another one is pinned")
    for parser in (bump, lock, outdated):
        _registries(parser)
    for parser in (show, outdated):
        _json(parser)


def _registries(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        dest="mirrors",
        metavar="REGISTRY=HOST[/PREFIX]",
        help="ask a mirror; also [mirrors] in kiwi.toml",
    )
    parser.add_argument(
        "--insecure", action="append", default=[], metavar="HOST[:PORT]", help="ask a host over plain HTTP"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=20.0, metavar="SECONDS", help="for one request (default: %(default)s)"
    )


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 < seconds <= 3600:  # noqa: PLR2004 -- an hour; infinity and NaN are none
        raise ValueError
    return seconds


def _secrets(commands: Commands) -> None:
    group = commands.add_parser(
        "secrets", help="seeds, fingerprints of credentials, rotation, encrypted externals"
    ).add_subparsers(required=True, metavar="COMMAND")
    new = _add(group, "new-seed", "print a new seed, or a customer's, derived from the platform's", "_secrets:new_seed")
    new.add_argument("--customer", metavar="SLUG", help="derive this customer's from the platform's seed")
    fingerprint = _add(
        group, "fingerprint", "derive all credentials and write secrets.lock, which tells none", "_secrets:fingerprint"
    )
    fingerprint.add_argument(
        "--other-seed", action="store_true", help="even with another seed than before: every credential changes"
    )
    verify = _add(group, "verify", "prove that the seed gives what secrets.lock says", "_secrets:verify")
    diff = _add(
        group, "diff", "name the credentials that the next deploy changes; better with the seed", "_secrets:diff"
    )
    show = _add(group, "show", "say what a credential is and where it goes", "_credentials:show")
    rotate = _add(group, "rotate", "say what a new generation of a credential does", "_credentials:rotate")
    seal = _add(group, "seal", "encrypt a value that is read from stdin to secrets/NAME.age", "_externals:seal")
    opened = _add(group, "open", "decrypt secrets/NAME.age to stdout", "_externals:show")
    for parser in (show, rotate):
        parser.add_argument("name", metavar="NAME", help="a credential, such as onyx/postgres/onyx")
    for parser in (seal, opened):
        parser.add_argument("name", metavar="NAME", help="an external, such as onyx-licence")
        _path(parser)
    for parser in (fingerprint, verify, diff, show, rotate):
        _repository(parser)
        _json(parser)
    show.add_argument("--reveal", action="store_true", help="print its value, and nothing else")
    rotate.add_argument(
        "--plan", action="store_true", required=True, help="change nothing: the generation is a line of the spec"
    )
    for parser in (new, fingerprint, verify, diff, show):
        _seed(parser)
    _identities(opened)


def _apply(commands: Commands) -> None:
    apply = _add(commands, "apply", "deliver the tree that was built, through helmfile", "_apply:apply")
    rebuild = _add(
        commands, "rebuild", "take everything away, make it again, and prove that it is the same", "_rebuild:rebuild"
    )
    for parser in (apply, rebuild):
        _repository(parser)
        _seed(parser)
        parser.add_argument("--helmfile", default="helmfile", metavar="PROGRAM", help="default: %(default)s on PATH")
        parser.add_argument("--helm", metavar="PROGRAM", help="the helm that helmfile runs (default: helm on PATH)")
        _cluster(parser)
    rebuild.add_argument(
        "--delete",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="this namespace may go with all that it holds; without it, what it holds is shown; may be given again",
    )
    apply.add_argument(
        "--wait",
        type=float,
        default=0,
        metavar="SECONDS",
        help="for another apply (default: refuse while one is at work)",
    )
    apply.add_argument("--prune", action="store_true", help="remove the releases that left the spec")
    apply.add_argument(
        "--delete-data",
        action="append",
        default=[],
        metavar="KIND/NAME",
        help="with --prune: this may go although it holds data; may be given again",
    )


def _hooks(commands: Commands) -> None:
    group = commands.add_parser("hooks", help="look at, run and read hooks").add_subparsers(
        required=True, metavar="COMMAND"
    )
    plan = _add(group, "plan", "look at every server and say what its hooks would do", "_hooks:plan")
    run = _add(group, "run", "bring every server to what its hooks want", "_hooks:run")
    orphans = _add(group, "orphans", "show what hooks made and none wants any more", "_hooks:orphans")
    status = _add(group, "status", "read from the cluster what the hooks' jobs did last", "_hooks:status")
    for parser in (plan, run, orphans):
        _repository(parser)
        _seed(parser)
        parser.add_argument(
            "--only", action="append", default=[], metavar="NAME", help="a component or release; may be given again"
        )
        parser.add_argument(
            "--connect-to",
            action="append",
            default=[],
            type=_addresses,
            metavar="HOST:PORT=HOST:PORT",
            help="connect elsewhere for an address of the cluster, as through a tunnel; may be given again",
        )
        _json(parser)
    orphans.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="KIND/NAME",
        help="remove one of them, with all that it holds; may be given again",
    )
    _repository(status)
    _cluster(status)
    _json(status)
    job = _add(group, "job", "run the tasks of a phase, in the job that has them", "_hooks:job")
    job.add_argument("--tasks", type=Path, metavar="FILE", help="default: where the job has it mounted")
    job.add_argument("--secrets", type=Path, metavar="DIR", help="default: where the job has them mounted")


def _diff(commands: Commands) -> None:
    diff = _add(commands, "diff", "show what delivering would change in the cluster", "_diff:diff")
    _repository(diff)
    diff.add_argument(
        "--live", action="store_true", required=True, help="against what runs, by a dry run of the server"
    )
    _helm(diff)
    _registries(diff)
    _seed(diff)
    _cluster(diff)
    _json(diff)


def _verify(commands: Commands) -> None:
    verify = _add(commands, "verify", "prove that what runs is what was built", "_verify:verify")
    _seed(verify)
    verify.add_argument("--strict", action="store_true", help="take what is unproven as a finding")
    verify.add_argument("--verbose", "-v", action="store_true", help="show what is unproven and what passed, too")
    verify.add_argument(
        "--report", type=Path, metavar="FILE", help="write the tree's report with what was found of each release"
    )
    status = _add(commands, "status", "show at a glance what runs", "_verify:status")
    for parser in (verify, status):
        _repository(parser)
        _cluster(parser)
        _json(parser)


def _cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubectl", default="kubectl", metavar="PROGRAM", help="default: %(default)s on PATH")
    parser.add_argument("--context", help="the context of the kubeconfig (default: the current one)")


def _addresses(word: str) -> object:
    from kiwi_core.cli._hooks import address

    return address(word)


def _seed(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_mutually_exclusive_group()
    sources.add_argument(
        "--seed-fd", type=_descriptor, metavar="N", help="read the seed from a file descriptor, not MASTER_PASSWORD"
    )
    sources.add_argument("--seed-file", type=Path, metavar="FILE", help="from a file that only you can read")
    sources.add_argument("--seed-age", type=Path, metavar="FILE", help="from a file that age encrypted")
    _identities(parser)


def _source(options: dict[str, Any]) -> SeedSource:  # as argparse has them
    """Take the options of the seed's source together."""
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core.cli._seed import identities_of

    options["identities"] = identities_of(options["identities"])
    names = {"fd": "seed_fd", "file": "seed_file", "age": "seed_age", "identities": "identities"}
    return SeedSource(**{field: options.pop(name) for field, name in names.items()})


def _identities(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--identity",
        action="append",
        default=[],
        type=Path,
        dest="identities",
        metavar="FILE",
        help="age's identity file (default: KIWISTACK_AGE_IDENTITY); may be given again",
    )


def _descriptor(word: str) -> int:
    number = int(word)
    if number < 0:
        raise ValueError
    return number


def _component(commands: Commands) -> None:
    group = commands.add_parser("component", help="list components, capture upstream's facts").add_subparsers(
        required=True, metavar="COMMAND"
    )
    _json(
        _add(
            group, "list", "show what is installed, from which package, what it uses and offers", "_component:list_all"
        )
    )
    captures = group.add_parser("capture", help="write the facts of an upstream artifact").add_subparsers(
        required=True, metavar="WHAT"
    )
    chart = _add(
        captures, "chart", "capture a chart: values, open maps, conditions, images, ports", "_component:capture_chart"
    )
    chart.add_argument("chart", type=Path, metavar="CHART", help="an unpacked chart's folder, or a .tgz")
    schema = _add(captures, "schema", "capture the schema history that an image carries", "_component:capture_schema")
    schema.add_argument("image", metavar="IMAGE", help="its reference, such as docker.io/org/app:v1, or oci:FOLDER:TAG")
    schema.add_argument("--folder", help="the folder of Alembic's revisions in it (default: it is looked for)")
    schema.add_argument("--image", dest="repository", metavar="REPOSITORY", help="under which it is pinned: org/app")
    schema.add_argument("--platform", default="linux/amd64", help="which image of an index (default: %(default)s)")
    schema.add_argument(
        "--tool", choices=("alembic", "table", "semantic"), default="alembic", help="how versions are told apart"
    )
    schema.add_argument("--version", help="with --tool table or semantic: the schema version that the image brings")
    schema.add_argument(
        "--git", type=Path, metavar="GIT", help="read a git repository at every release tag; IMAGE has no tag then"
    )
    schema.add_argument(
        "--tags",
        default=r"v?\d+\.\d+\.\d+",
        help="with --git: regular expression of the tags (default: %(default)s)",
    )
    _registries(schema)
    for parser in (chart, schema):
        is_chart = parser is chart
        parser.add_argument("--source", required=is_chart, help="where it was taken from, for the reader")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the facts folder of the package")
