"""A run that has ended: the verdict, why, where, and the next step, in that order. Pure."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from kubectl_loadtest.core import advice
from kubectl_loadtest.views import tables
from kubectl_loadtest.words import duration
from loadgen.model.report import ValidityLevel
from loadgen.report.terminal import STYLES
from loadtest_operator.api.status import LoadTestStatus, PastRun

ASKED_FOR = "Asked for"


def picture(namespace: str, name: str, status: LoadTestStatus) -> Group:
    """A finished run, from the status that is about it."""
    if status.verdict is None:
        raise ValueError("the run has not ended")
    verdict = Text.assemble(
        (str(status.verdict), STYLES[status.verdict]), "  ", status.message or "no reason was given"
    )
    steps = advice.next_steps(namespace, name, status)
    return Group(
        verdict,
        Text(f"LoadTest {namespace}/{name} · {_where(status)}", style="dim"),
        *_parts(status),
        Text("\nNext", style="bold"),
        *(Padding(Text(f"{place}. {step}"), (0, 0, 0, 2)) for place, step in enumerate(steps, start=1)),
    )


def past(namespace: str, name: str, run: PastRun) -> Group:
    """A finished run of which only the history tells."""
    verdict = Text.assemble((str(run.verdict), STYLES[run.verdict]), "  ", run.message or "no reason was given")
    kept = f"`kubectl loadtest report {name} -n {namespace} --run {run.number}` shows the whole report"
    detail = f"LoadTest {namespace}/{name} · run {run.number} · a newer run has begun since"
    return Group(verdict, Text(detail, style="dim"), Text(kept if run.artifact else "no report of it was kept"))


def _where(status: LoadTestStatus) -> str:
    run = status.run
    took = run.completion_time - run.start_time if run.completion_time and run.start_time else None
    parts = (
        f"run {run.number}",
        run.target,
        f"began {run.start_time:%Y-%m-%d %H:%M:%S} UTC" if run.start_time else "",
        f"took {duration(took.total_seconds())}" if took else "",
    )
    return " · ".join(part for part in parts if part)


def _parts(status: LoadTestStatus) -> Iterator[RenderableType]:
    sections = (
        (ASKED_FOR, tables.judged(status)),
        ("Measured; response times and TTFT in milliseconds", tables.figures(status)),
        ("Scale-ups", tables.scale_ups(status.scaling)),
    )
    for title, table in sections:
        if table is not None:
            yield Text(f"\n{title}", style="bold")
            yield Padding(table, (0, 0, 0, 2))
        if title == ASKED_FOR:
            yield from (Padding(Text(sentence), (0, 0, 0, 2)) for sentence in tables.unsaid(status))
    lines = [tables.requests(status), tables.replicas(status.scaling), *map(tables.fault, status.faults)]
    if said := [line for line in lines if line]:
        yield Text("\nSeen", style="bold")
        yield from (Padding(Text(line), (0, 0, 0, 2)) for line in said)
    yield from _measurement(status)


def _measurement(status: LoadTestStatus) -> Iterator[RenderableType]:
    validity = status.summary.validity if status.summary else None
    level = validity.level if validity else "not judged" if status.summary else "nothing was measured"
    yield Text(f"\nMeasurement: {level}", style="bold")
    style = "" if validity and validity.level is ValidityLevel.VALID else "yellow"
    for reason in validity.reasons if validity else ():
        yield Padding(Text(reason, style=style), (0, 0, 0, 2))
