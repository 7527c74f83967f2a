"""`loadgen sweep FILE --url …`: one load test at many levels, without a cluster.

Exits with 0 for a grid and for a knee whose hold passed, 2 for bad input, 3 for a knee that is not confirmed, 4 for an
error, 5 when interrupted. What was measured is written after every run, so nothing is lost with the process.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from loadgen.commands.common import errors, show, stop
from loadgen.core.capacity import points, sweeping
from loadgen.core.capacity.sweeping import Progress
from loadgen.core.stats.summary import GENERATOR
from loadgen.model.errors import ExitCode, InvalidPlanError, LoadgenError, TargetError
from loadgen.model.plan import Plan
from loadgen.model.report import EXIT_CODES, Report, Verdict
from loadgen.model.sweep import SWEEP_KIND, Conclusion, Hold, Sweep, SweepSpec
from loadgen.report import sweep as view
from loadgen.runtime.worker import planfile

Play = Callable[[Plan], Report]
Player = Callable[[dict[str, Any], str, int, Path | None], Play]
"""Of a LoadTest document, a URL, a number of processes and a folder of data: what runs a plan there."""


class InterruptedSweepError(LoadgenError):
    """Somebody stopped a run, and so the sweep."""


def command(player: Player) -> Callable[..., None]:
    """The command, with what it runs load by."""

    def sweep(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="A LoadTestSweep manifest or its spec (YAML).")],
        url: Annotated[str, typer.Option(help="The target: http://host:port")],
        workers: Annotated[int, typer.Option(min=0, help="Processes; 0 = as the load asks for.")] = 0,
        out: Annotated[Path | None, typer.Option(help="Write the sweep here as JSON, after every run.")] = None,
        data: Annotated[
            Path | None, typer.Option(metavar="FOLDER", help="What the plan refers to, as for run.")
        ] = None,
    ) -> None:
        """Run a load test at many levels: a grid, or a search for the knee with a hold at its lower end."""
        try:
            spec = read(planfile.read(file))
            play = player(points.document(spec, {}), url, workers, data)
            done = Sweeper(spec, url, play, out).run()
        except (InvalidPlanError, TargetError) as error:
            stop(error, ExitCode.BAD_INPUT)
        except (LoadgenError, OSError) as error:
            stop(error, ExitCode.ERROR)
        show(view.render(done))
        raise typer.Exit(EXIT_CODES[sweeping.verdict(done.conclusion, done.levels)])

    return sweep


def read(document: Mapping[str, Any]) -> SweepSpec:
    """The sweep in a document, every point of it checked. Raises InvalidPlanError with every problem."""
    if document.get("kind", SWEEP_KIND) != SWEEP_KIND:
        raise InvalidPlanError([f"kind is {document['kind']!r}: write {SWEEP_KIND}"])
    part, prefix = (document["spec"], "spec.") if "spec" in document else (document, "")
    try:
        spec = SweepSpec.model_validate(_of_a_laptop(part), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidPlanError(
            [f"{prefix}{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        ) from error
    for point in points.ends(spec):
        points.plan(spec, point)
    return spec


ONLY_IN_A_CLUSTER = ("suspend", "abort")


def _of_a_laptop(part: Any) -> Any:
    """Without what only means something in a cluster, so that one file serves both."""
    if not isinstance(part, Mapping):
        return part
    kept = {name: value for name, value in part.items() if name not in ONLY_IN_A_CLUSTER}
    template = kept.get("loadTestTemplate")
    if isinstance(template, Mapping):
        kept["loadTestTemplate"] = {name: value for name, value in template.items() if name != "metadata"}
    return kept


@dataclass(slots=True)
class Sweeper:
    """Plays one sweep to its end."""

    spec: SweepSpec
    url: str
    play: Play
    out: Path | None

    def run(self) -> Sweep:
        progress = Progress(self.spec)
        try:
            while point := sweeping.next_point(progress):
                self._one(progress, point)
            hold = self._hold(progress)
        except InterruptedSweepError as error:
            return self._write(progress, None, (Conclusion.ABORTED, str(error)))
        return self._write(progress, hold)

    def _one(self, progress: Progress, point: dict[str, Decimal]) -> None:
        if progress.runs:
            time.sleep(self.spec.between.rest_seconds)
        run = progress.add(point, self._play(points.plan(self.spec, point)))
        good, planned = (sum(column) for column in zip(*run.blocks, strict=True)) if run.blocks else (0, 0)
        kept = f"{good} of {planned} requests kept the SLO" if run.valid else f"no evidence: {run.message}"
        errors.print(f"run {len(progress.runs)}: {points.said(point)}: {kept}")
        self._write(progress, None, (Conclusion.UNCONFIRMED, "the sweep is not over"))

    def _play(self, plan: Plan) -> Report:
        report = self.play(plan)
        if report.verdict is Verdict.ABORTED:
            raise InterruptedSweepError(f"stopped: {report.message}")
        return report

    def _hold(self, progress: Progress) -> Hold | None:
        holding = sweeping.holding(progress, points.plan(self.spec, points.ends(self.spec)[0]))
        if holding is None:
            return None
        report = self._play(points.plan(self.spec, {}, **holding.settings))
        return sweeping.held(holding.level, holding.seconds, report, progress.stage, progress.share)

    def _write(self, progress: Progress, hold: Hold | None, said: tuple[Conclusion, str] | None = None) -> Sweep:
        found = sweeping.table(progress)
        conclusion, message = said or sweeping.conclude(progress, found.knee, hold)
        done = Sweep(
            generator=GENERATOR,
            target=self.url,
            spec=self.spec,
            conclusion=conclusion,
            message=message,
            runs=tuple(progress.runs),
            levels=found.levels,
            best=found.best.point if found.best else None,
            knee=found.knee,
            hold=hold,
        )
        if self.out is not None:
            self.out.write_text(done.model_dump_json(exclude_none=True, indent=2) + "\n")
        return done
