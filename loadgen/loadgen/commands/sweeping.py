"""`loadgen sweep FILE --url …`: one load test at many levels, without a cluster.

Exits with 0 for a grid and for a knee whose hold passed, 2 for bad input, 3 for a knee that is not confirmed, 4 for an
error, 5 when interrupted. What was measured is written after every run, so nothing is lost with the process.
"""

import time
from collections.abc import Callable, Iterator, Mapping
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
from loadgen.model.report import Report, Verdict
from loadgen.model.sweep import SWEEP_KIND, Conclusion, Hold, Sweep, SweepSpec
from loadgen.report import sweep as view
from loadgen.runtime.worker import planfile

Play = Callable[[Plan], Report]
Player = Callable[[dict[str, Any], str, int, Path | None], Play]
"""Of a LoadTest document, a URL, a number of processes and a folder of data: what runs a plan there."""
EXIT_CODES = {
    Conclusion.CONFIRMED: ExitCode.PASSED,
    Conclusion.MEASURED: ExitCode.PASSED,
    Conclusion.UNCONFIRMED: ExitCode.INCONCLUSIVE,
    Conclusion.ABORTED: ExitCode.ABORTED,
}


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
        raise typer.Exit(EXIT_CODES[done.conclusion])

    return sweep


def read(document: Mapping[str, Any]) -> SweepSpec:
    """The sweep in a document, every point of it checked. Raises InvalidPlanError with every problem."""
    if document.get("kind", SWEEP_KIND) != SWEEP_KIND:
        raise InvalidPlanError([f"kind is {document['kind']!r}: write {SWEEP_KIND}"])
    part, prefix = (document["spec"], "spec.") if "spec" in document else (document, "")
    try:
        spec = SweepSpec.model_validate(part, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidPlanError(
            [f"{prefix}{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        ) from error
    if spec.search and points.stage_of(spec.search.field) is None:
        raise InvalidPlanError(
            [f"{prefix}search.field {spec.search.field}: a search needs load.stages[NAME].arrivalRate or .concurrency"]
        )
    for point in _ends(spec):
        points.plan(spec, point)
    return spec


def _ends(spec: SweepSpec) -> list[dict[str, Decimal]]:
    """Points whose plans must be valid before any is run."""
    if spec.search is None:
        return points.grid(spec.model_copy(update={"repeats": 1}))
    return [{spec.search.field: level} for level in (spec.search.min, spec.search.max)]


@dataclass(slots=True)
class Sweeper:
    """Plays one sweep to its end."""

    spec: SweepSpec
    url: str
    play: Play
    out: Path | None

    def run(self) -> Sweep:
        progress = Progress(self.spec)
        hold = None
        try:
            for point in self._points(progress):
                self._one(progress, point)
            hold = self._hold(progress)
        except InterruptedSweepError as error:
            return self._write(progress, None, (Conclusion.ABORTED, str(error)))
        return self._write(progress, hold)

    def _points(self, progress: Progress) -> Iterator[dict[str, Decimal]]:
        if self.spec.search is None:
            yield from points.grid(self.spec)
            return
        search = sweeping.searching(self.spec.search, self.spec)
        while levels := sweeping.next_of(progress, search):
            for level in levels:
                yield {self.spec.search.field: _decimal(level)}

    def _one(self, progress: Progress, point: dict[str, Decimal]) -> None:
        if progress.runs:
            time.sleep(self.spec.between.rest_seconds)
        run = progress.add(point, self._play(points.plan(self.spec, point)))
        good, planned = (sum(column) for column in zip(*run.blocks, strict=True)) if run.blocks else (0, 0)
        where = ", ".join(f"{path} = {value}" for path, value in point.items())
        kept = f"{good} of {planned} requests kept the SLO" if run.valid else f"no evidence: {run.message}"
        errors.print(f"run {len(progress.runs)}: {where}: {kept}")
        self._write(progress, None, (Conclusion.UNCONFIRMED, "the sweep is not over"))

    def _play(self, plan: Plan) -> Report:
        report = self.play(plan)
        if report.verdict is Verdict.ABORTED:
            raise InterruptedSweepError(f"stopped: {report.message}")
        return report

    def _hold(self, progress: Progress) -> Hold | None:
        search, found = self.spec.search, sweeping.knee_of(progress)
        if search is None or found is None or found[1].low is None or found[1].bound != "Known":
            return None
        level, seconds = sweeping.hold_of(found[1].low, sweeping.levels(progress, found[0]), search)
        plan = points.plan(self.spec, {search.field: _decimal(level)})
        stage = next(one for one in plan.load.stages if one.name == progress.stage)
        longer = {
            f"load.stages[{stage.name}].durationSeconds": max(stage.duration_seconds, stage.ramp_seconds + seconds)
        }
        report = self._play(points.plan(self.spec, {search.field: _decimal(level)}, **longer))
        return sweeping.held(level, seconds, report, progress.stage, progress.share)

    def _write(self, progress: Progress, hold: Hold | None, said: tuple[Conclusion, str] | None = None) -> Sweep:
        found = sweeping.knee_of(progress)
        levels = sweeping.levels(progress, found[0] if found else None)
        best = None if self.spec.search else sweeping.best(levels, progress.share)
        conclusion, message = said or sweeping.conclude(self.spec, found[1] if found else None, hold)
        done = Sweep(
            generator=GENERATOR,
            target=self.url,
            spec=self.spec,
            conclusion=conclusion,
            message=message,
            runs=tuple(progress.runs),
            levels=levels,
            best=best.point if best else None,
            knee=found[1] if found else None,
            hold=hold,
        )
        if self.out is not None:
            self.out.write_text(done.model_dump_json(exclude_none=True, indent=2) + "\n")
        return done


def _decimal(level: float) -> Decimal:
    return Decimal(f"{level:.9g}")
