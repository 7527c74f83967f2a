"""The command line: the only place where files, terminal, runtime and judgement meet.

`loadgen run` exits with `ExitCode`: 0 passed, 1 failed, 2 bad input, 3 inconclusive, 4 error, 5 aborted.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from loadgen import commands
from loadgen.core.capacity import steady
from loadgen.core.judge import judgement, validity, verdict
from loadgen.core.judge import lint as problems
from loadgen.core.judge.advice import advice
from loadgen.core.stats import summary
from loadgen.model.access import Access
from loadgen.model.errors import ExitCode, InvalidPlanError, LoadgenError, ProbeError, TargetError, WorkerError
from loadgen.model.plan import Plan
from loadgen.model.references import Material
from loadgen.model.report import EXIT_CODES, Report
from loadgen.report import documents, terminal
from loadgen.runtime.worker import folder, planfile

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A LoadTest manifest or a bare plan (YAML).")]


HtmlOption = Annotated[Path | None, typer.Option(help="Write the report here as one HTML page that stands alone.")]
JunitOption = Annotated[Path | None, typer.Option(help="Write all of them here as JUnit XML, for CI.")]


@app.callback()
def _loadgen() -> None:
    """A load generator for inference services that measures itself."""


@app.command()
def run(
    file: FileArgument,
    url: Annotated[str, typer.Option(help="The target: http://host:port")],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 = as the load, cores and memory ask for.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the report here as JSON.")] = None,
    html: HtmlOption = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What the plan refers to: key KEY of ConfigMap NAME is FOLDER/NAME/KEY."),
    ] = None,
) -> None:
    """Run a load test from this machine and judge it.

    The value of target.authorization comes from the environment variable LOADTEST_AUTHORIZATION.
    """
    if html is not None and not html.parent.is_dir():
        _stop(ValueError(f"--html {html}: there is no folder {html.parent}; nothing was sent"), ExitCode.BAD_INPUT)
    try:
        plan, access = _plan(file)
        report = asyncio.run(_run(plan, url, workers, access, _material(plan, access, data)))
    except (InvalidPlanError, TargetError) as error:
        _stop(error, ExitCode.BAD_INPUT)
    except TimeoutError:
        _stop(
            WorkerError("the processes that send were not ready in time: is this machine busy, or out of memory?"),
            ExitCode.ERROR,
        )
    except (WorkerError, OSError) as error:
        _stop(error, ExitCode.ERROR)
    except Exception as error:  # Python's own exit code would be that of Failed
        _stop(
            WorkerError(f"loadgen itself broke, this says nothing of the target: {type(error).__name__}: {error}"),
            ExitCode.ERROR,
        )
    _show(report)
    _write_report(report, out)
    if html is not None:
        _write_page(report, html)
    raise typer.Exit(EXIT_CODES[report.verdict])


@app.command()
def lint(file: FileArgument) -> None:
    """Print every problem of a plan, and advice where it is valid; nothing is sent."""
    try:
        found = problems.problems(planfile.read(file))
    except InvalidPlanError as error:
        found = error.problems
    for problem in found:
        typer.echo(problem)
    if found:
        raise typer.Exit(ExitCode.BAD_INPUT)
    _plan(file)


@app.command()
def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Reports that --out wrote.")],
    html: HtmlOption = None,
    junit: JunitOption = None,
) -> None:
    """Show reports again."""
    if html is not None and len(files) > 1:
        _stop(
            ValueError(f"--html writes one page, and {len(files)} reports are named: call it once for each"),
            ExitCode.BAD_INPUT,
        )
    found: dict[str, Report] = {}

    def shown(each: Report) -> None:
        _show(each)
        found[str(file)] = each

    for file in files:
        try:
            commands.show_file(file, shown, only_reports=html is not None or junit is not None)
        except (LoadgenError, OSError) as error:
            _stop(error, ExitCode.BAD_INPUT)
    if html is not None and not all(_write_page(each, html) for each in found.values()):
        raise typer.Exit(ExitCode.BAD_INPUT)
    if junit is not None and not _write_junit(found, junit):
        raise typer.Exit(ExitCode.BAD_INPUT)


def _player(document: dict[str, Any], url: str, workers: int, data: Path | None) -> Callable[[Plan], Report]:
    access = problems.access(document)
    return lambda plan: asyncio.run(_run(plan, url, workers, access, _material(plan, access, data)))


app.command(context_settings={"allow_interspersed_args": False})(commands.compare)
app.command()(commands.sweep(_player))
app.command()(commands.plan)


def _show(report: Report) -> None:
    console = Console()
    if console.is_terminal:
        console.print(terminal.render(report))
    else:
        typer.echo(terminal.text(report), nl=False)


def _write_page(report: Report, file: Path) -> bool:
    """Whether it could be written. That a page could not does not change a verdict."""
    from loadgen.report.html import page

    return _write("the report as a page", page.render(report), file, "--html")


def _write_junit(reports: dict[str, Report], file: Path) -> bool:
    from loadgen.report import junit

    return _write("the reports as JUnit XML", junit.render(reports), file, "--junit")


def _write(what: str, text: str, file: Path, option: str) -> bool:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        _errors.print(f"{what} cannot be written to {file}: {error.strerror or error}; name another file with {option}")
        return False
    _errors.print(f"{what}: {file}")
    return True


def _write_report(report: Report, out: Path | None) -> None:
    """A report that cannot be written is an error of this machine; what came out has been shown."""
    try:
        if out is not None:
            out.write_text(documents.dump(report))
    except OSError as error:
        _stop(WorkerError(f"--out {out} cannot be written: {error.strerror}"), ExitCode.ERROR)


def _stop(error: Exception, code: ExitCode) -> NoReturn:
    _errors.print(str(error))
    raise typer.Exit(code) from error


def _plan(file: Path) -> tuple[Plan, Access]:
    """The plan in a file and how its target is talked to, and a line about what a laptop leaves out."""
    document = planfile.read(file)
    plan, access = problems.parse(document), problems.access(document)
    if ignored := planfile.ignored(document):
        _errors.print(f"without a cluster these parts of {file} are ignored: {', '.join(ignored)}")
    for sentence in advice(plan):
        _errors.print(f"advice: {sentence}")
    return plan, access


def _material(plan: Plan, access: Access, data: Path | None) -> Material:
    if access.authorization is None and os.environ.get(folder.AUTHORIZATION_VARIABLE):
        _errors.print(
            f"{folder.AUTHORIZATION_VARIABLE} is not sent: there is no spec.target.authorization that asks for it"
        )
    return folder.local(plan, access, data, os.environ)


async def _run(plan: Plan, url: str, workers: int, access: Access, material: Material) -> Report:
    from loadgen.core.schedule.shards import shards
    from loadgen.runtime.recording.cgroup import Cgroup
    from loadgen.runtime.worker.live import watching
    from loadgen.runtime.worker.local import LocalRun

    cgroup = Cgroup()
    cores = cgroup.cores()
    fitting = shards(plan, 1, cores, cgroup.memory_bytes())
    if workers > plan.load.max_in_flight:
        raise InvalidPlanError(
            [
                f"--workers {workers} is more than load.maxInFlight {plan.load.max_in_flight}: each process needs a share of it; use fewer"
            ]
        )
    with watching(Console(), plan) as observe:
        local = LocalRun(plan, url, workers or fitting, observe, access=access, material=material)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, local.interrupted.set)
        try:
            outcome = await local.run()
        except ProbeError as error:
            return _judge(plan, url, _nothing(plan), cores, [str(error)])
    return _judge(plan, url, outcome, cores)


def _nothing(plan: Plan) -> Any:
    """The outcome of a run that never began."""
    from loadgen.core.stats.tally import Tally
    from loadgen.model.wire import WIRE_VERSION, WorkerPhase, WorkerState
    from loadgen.runtime.clock import wall_ns
    from loadgen.runtime.worker.local import Outcome

    now = wall_ns()
    return Outcome(Tally(plan), WorkerState(WIRE_VERSION, 0, 1, 0, WorkerPhase.FAILED, now, 0), now)


def _judge(plan: Plan, url: str, outcome: Any, cores: float, unmeasured: Sequence[str] = ()) -> Report:
    from loadgen.runtime.clock import rfc3339

    tally, state = outcome.tally, outcome.state
    ceilings = {state.worker: state.ceiling_requests_per_second}
    quality = validity.quality(plan, tally, allowed_cores=cores, ceilings=ceilings)
    measured = judgement.measured(plan, tally, quality)
    findings = replace(
        measured.findings(),
        aborted=outcome.aborted,
        given_up=outcome.given_up,
        inconclusive=tuple(unmeasured),
    )
    decided, message = verdict.judge(findings)
    made = summary.report(
        plan,
        tally,
        target=url,
        start_time=rfc3339(outcome.start_wall_ns),
        verdict=decided,
        message=message,
        validity=measured.validity,
        thresholds=measured.thresholds,
        workers=summary.workers(tally, {state.worker: state.started_late_microseconds / 1000}),
    )
    return steady.beside(made)


def main() -> None:
    """Entry point."""
    app()
