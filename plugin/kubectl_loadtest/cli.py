"""The command line: composes the cluster, the decisions and the views.

`run --wait`, `rerun --wait` and `watch` exit with the verdict: 0 Passed, 1 Failed, 3 Inconclusive (also: no verdict in time),
4 Error (also: no cluster, no permission), 5 Aborted; 2 is bad input. No failure ends in a traceback.
"""

import os
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from kubectl_loadtest import words
from kubectl_loadtest.core import complete, manifest, starting, stored
from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.core.statuses import Object, status_of, sweep_of
from kubectl_loadtest.following import Clock, awaited, follow
from kubectl_loadtest.problems import BadInputError, ChangedError, InvalidError, PluginError
from kubectl_loadtest.views import ending, screen
from kubectl_loadtest.views import sweep as sweep_view
from loadgen.model.errors import ExitCode
from loadgen.model.report import EXIT_CODES
from loadgen.report import documents, terminal
from loadtest_operator.api.status import LoadTestStatus

if TYPE_CHECKING:
    from kubectl_loadtest.kube.cluster import Cluster

INTERRUPTED, BROKEN_PIPE = 130, 141
"""As shells call an end by SIGINT and by SIGPIPE; never a verdict's code."""
CLOCK = Clock(time.monotonic, time.sleep)


class Sentences(TyperGroup):
    """Commands whose errors are sentences."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PluginError as error:
            screen.tell(f"error: {error}")
            raise typer.Exit(error.code) from error
        except KeyboardInterrupt:
            screen.tell("interrupted; a run that was started goes on: `kubectl loadtest watch NAME`, or `abort NAME`")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read the output has gone; the interpreter would complain about it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None


app = typer.Typer(cls=Sentences, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A file with one LoadTest; - reads standard input.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the LoadTest.")]
NamespaceOption = Annotated[str | None, typer.Option("--namespace", "-n", help="Default: that of the context.")]
ContextOption = Annotated[str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")]
KubeconfigOption = Annotated[str | None, typer.Option(help="Default: KUBECONFIG, then ~/.kube/config.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Show the run until its verdict, which is the exit code.")]
NumberOption = Annotated[int | None, typer.Option("--run", min=1, help="Number of the run. Default: the last one.")]
TimeoutOption = Annotated[str | None, typer.Option(help="Stop waiting after this: 90s, 10m, 1h. The run goes on.")]


@app.callback()
def _plugin() -> None:
    """Load tests of inference services: run them, watch them, read their reports."""


@app.command()
def run(
    file: FileArgument,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Apply a LoadTest and run it; one that is there already runs again, with the file's spec."""
    longest = _longest(timeout, wait)
    wanted = manifest.parse(manifest.read(file), file)
    if found := manifest.problems(wanted):
        raise BadInputError("\n".join([f"{file} cannot be run:", *found]))
    for sentence in manifest.advice(wanted):
        screen.tell(f"advice: {sentence}")
    cluster = _cluster(kubeconfig, context, _namespace(wanted, namespace))
    body, which = _apply(cluster, wanted)
    _begun(cluster, body, which, wait, longest)


@app.command()
def watch(
    name: NameArgument,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show the run that goes on, or the last one, until its verdict, which is the exit code."""
    longest = _longest(timeout, True)
    cluster = _cluster(kubeconfig, context, namespace)
    body = cluster.get(words.object_name(name, "name of a LoadTest"))
    _follow(cluster, body, starting.current(body), longest)


@app.command()
def sweep(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the LoadTestSweep.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its verdict, which is the exit code.")] = False,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show a LoadTestSweep's table of levels; of one that has ended, the verdict is the exit code."""
    longest = _longest(timeout, wait)
    cluster = _cluster(kubeconfig, context, namespace)
    plain = words.object_name(name.removeprefix("loadtestsweep/"), "name of a LoadTestSweep")
    look = partial(cluster.sweep, plain)
    status = sweep_of(awaited(look, screen.tell, CLOCK, longest) if wait else look())
    screen.show(sweep_view.picture(cluster.namespace, plain, status))
    if status.verdict is not None:
        raise typer.Exit(EXIT_CODES[status.verdict])


@app.command()
def report(
    name: NameArgument,
    number: NumberOption = None,
    html: Annotated[Path | None, typer.Option(help="Write it here as one page that stands alone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, as `loadgen report` reads it.")] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show the stored report of a run, once its checksum was compared."""
    from kubectl_loadtest.core.around import surroundings
    from loadgen.report.html import page

    title, chosen, found, status = _stored(_cluster(kubeconfig, context, namespace), name, number)
    around = surroundings(title, chosen, found, status)
    for note in around.notes:
        screen.tell(f"note: {note}")
    if html is not None:
        _write(html, page.render(found.report, around))
    if json:
        typer.echo(documents.dump(found.report), nl=False)
    elif html is None:
        screen.say(f"LoadTest {around.title}")
        screen.show(terminal.render(found.report))
        for table in around.tables:
            rows = (" · ".join(filter(None, row)) for row in table.rows)
            screen.say("\n  ".join([f"\n{table.title}", *rows, *table.notes]))


@app.command()
def whatif(
    name: NameArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE, as often as wanted: min, max, target, tolerance, … An unknown name lists all."
        ),
    ] = None,
    number: NumberOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """What a run's autoscaler would have done with other settings; says so where the run does not tell (exit code 3)."""
    from kubectl_loadtest.core import whatif as asking
    from kubectl_loadtest.views import whatif as view

    title, _, found, _ = _stored(_cluster(kubeconfig, context, namespace), name, number)
    prediction = asking.answered(found, settings or ())
    screen.say(f"LoadTest {title}: what if {', '.join(settings or ()) or 'nothing were changed'}")
    screen.show(view.table(prediction))
    for sentence in view.sentences(prediction):
        screen.say(sentence)


@app.command()
def rerun(
    name: NameArgument,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Run a LoadTest again as it is; refused while a run goes on."""
    longest = _longest(timeout, wait)
    cluster = _cluster(kubeconfig, context, namespace)
    token = _token()
    body, change = cluster.change(
        words.object_name(name, "name of a LoadTest"), lambda live: starting.to_rerun(live, token)
    )
    _begun(cluster, body, change.wanted, wait, longest)


@app.command()
def abort(
    name: NameArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Stop the run that goes on; its verdict will be Aborted."""
    cluster = _cluster(kubeconfig, context, namespace)
    body, change = cluster.change(words.object_name(name, "name of a LoadTest"), starting.to_abort)
    title = f"LoadTest {cluster.namespace}/{body['metadata']['name']}"
    screen.say(f"{title} is being aborted" if change.steps else f"{title} was being aborted already")


@app.command()
def lint(
    file: FileArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Say everything that is wrong with a LoadTest; where a cluster is there, ask it too. Nothing is stored or sent."""
    wanted = manifest.parse(manifest.read(file), file)
    if found := manifest.problems(wanted):
        for problem in found:
            screen.say(problem)
        raise typer.Exit(ExitCode.BAD_INPUT)
    for sentence in manifest.advice(wanted):
        screen.say(f"advice: {sentence}")
    where = _namespace(wanted, namespace)
    try:
        cluster = _cluster(kubeconfig, context, where)
        _apply(cluster, wanted, dry_run=True)
    except InvalidError:
        raise
    except PluginError as error:
        screen.say(f"{file} is right as far as it can be told without a cluster; not asked: {error}")
    else:
        screen.say(f"{file} is right, and the cluster would take it in namespace {cluster.namespace}")


@app.command()
def completion() -> None:
    """Print the program that kubectl asks for completions; put it on the PATH as kubectl_complete-loadtest."""
    typer.echo(complete.SCRIPT, nl=False)


@app.command("__complete", hidden=True)
def _complete(given: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """The candidates after these words."""
    said = given or [""]

    def names() -> list[str]:
        try:
            kubeconfig, context, namespace = (complete.value_of(said, *option) for option in complete.CONNECTION)
            return _cluster(kubeconfig, context, namespace).names()
        except PluginError:
            return []

    typer.echo("\n".join(complete.complete(said, names)))


def _cluster(kubeconfig: str | None, context: str | None, namespace: str | None) -> "Cluster":
    from kubectl_loadtest.kube.cluster import Cluster
    from kubectl_loadtest.kube.kubeconfig import connect

    if namespace is not None:
        words.object_name(namespace, "namespace")
    return Cluster(connect(kubeconfig, context, namespace))


def _stored(
    cluster: "Cluster", name: str, number: int | None
) -> tuple[str, stored.Kept, stored.Stored, LoadTestStatus]:
    """A run's report, once its checksum was compared, with the run's name."""
    body = cluster.get(words.object_name(name, "name of a LoadTest"))
    status = status_of(body)
    chosen = stored.kept(body["metadata"]["name"], status, number)
    parts = [stored.data_of(part, cluster.config_map(part.name)) for part in chosen.parts]
    title = f"{cluster.namespace}/{body['metadata']['name']} run {chosen.number}"
    return title, chosen, stored.read(chosen, parts), status


def _namespace(wanted: manifest.Manifest, option: str | None) -> str | None:
    if option is not None and wanted.namespace not in (None, option):
        raise BadInputError(f"the file says namespace {wanted.namespace}, -n says {option}: leave one of them out")
    return option or wanted.namespace


def _apply(cluster: "Cluster", wanted: manifest.Manifest, *, dry_run: bool = False) -> tuple[Object, Wanted]:
    """Created, or changed where it is there."""
    token = _token()
    for _ in range(2):
        if cluster.find(wanted.name) is not None:
            body, change = cluster.change(
                wanted.name, lambda live: starting.to_run(wanted, live, token), dry_run=dry_run
            )
            return body, change.wanted
        try:
            body, which = starting.to_create(wanted)
            return cluster.create(body, dry_run=dry_run), which
        except ChangedError:
            continue  # somebody was faster: now it is there
    raise ChangedError(f"LoadTest {wanted.name} comes and goes: somebody else creates and deletes it; try again")


def _begun(cluster: "Cluster", body: Object, wanted: Wanted, wait: bool, longest: float | None) -> None:
    name = body["metadata"]["name"]
    held = "; spec.suspend holds it until it is set to false" if body["spec"].get("suspend") else ""
    screen.tell(f"LoadTest {cluster.namespace}/{name}: a new run was asked for (runToken {wanted.token}){held}")
    if wait:
        _follow(cluster, body, wanted, longest)
    else:
        screen.tell(f"`kubectl loadtest watch {name} -n {cluster.namespace}` follows it")


def _follow(cluster: "Cluster", body: Object, wanted: Wanted, longest: float | None) -> None:
    """Shown until the verdict, which becomes the exit code."""
    name = body["metadata"]["name"]
    with screen.watching(f"LoadTest {cluster.namespace}/{name}") as show:
        found = follow(lambda: cluster.get(name), body, wanted, show, CLOCK, longest)
    if found.past is not None:
        screen.show(ending.past(cluster.namespace, name, found.past))
    else:
        screen.show(ending.picture(cluster.namespace, name, found.status))
    if found.verdict is not None:
        raise typer.Exit(EXIT_CODES[found.verdict])


def _longest(timeout: str | None, wait: bool) -> float | None:
    if timeout is not None and not wait:
        raise BadInputError("--timeout is how long --wait waits: give --wait too")
    return None if timeout is None else words.seconds(timeout)


def _token() -> str:
    """A runToken that nobody else has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"the page cannot be written to {file}: {error.strerror}") from error
    screen.tell(f"the report as a page: {file}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; gives the exit code."""
    try:
        app(args=arguments, prog_name="kubectl loadtest")
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if os.environ.get("LOADTEST_DEBUG"):
            raise
        screen.tell(f"error in kubectl-loadtest itself: {type(error).__name__}: {error}; LOADTEST_DEBUG=1 shows where")
        return ExitCode.ERROR
    return 0


def completing() -> int:
    """Entry point of kubectl_complete-loadtest."""
    return main(["__complete", "--", *sys.argv[1:]])
