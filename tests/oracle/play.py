"""Plays what was drawn through the real tally and the real judge."""

from collections import defaultdict
from dataclasses import replace

from loadgen.core.judge import thresholds, validity, verdict
from loadgen.core.judge.judgement import measured
from loadgen.core.stats.histogram import sparse_of
from loadgen.core.stats.tally import METRIC_INDEX, Tally
from loadgen.model.plan import Metric
from loadgen.model.report import Result
from loadgen.model.wire import Cell, Delta, Pulse
from oracle.naive import is_good
from oracle.records import TIMEOUTS, Attempt, Played


def judged(played: Played) -> tuple[dict[str, str], str]:
    """Each threshold's result, and the verdict."""
    tally = tallied(played)
    quality = validity.quality(played.plan, tally, allowed_cores=1.0)
    found = measured(played.plan, tally, quality, exclude=played.faults)
    bounds = [
        thresholds.evaluate_window(one, played.plan, tally, window, limited=found.limited)
        for window, one in played.bounds
    ]
    sides = {
        "violated": [one.message for one in bounds if one.result is Result.FAILED],
        "unknown": [one.message for one in bounds if one.result is Result.UNKNOWN],
    }
    word, _ = verdict.judge(replace(found.findings(), **sides))
    results = {one.name: str(one.result) for one in found.thresholds}
    return results | {f"bound {place}": str(one.result) for place, one in enumerate(bounds)}, str(word)


def tallied(played: Played) -> Tally:
    """As one shard would have told it, second by second."""
    load = played.plan.load
    tally = Tally(played.plan)
    told: dict[int, list[Attempt]] = defaultdict(list)
    meant: dict[int, list[Attempt]] = defaultdict(list)
    for one in played.attempts:
        meant[one.second].append(one)
        told[load.duration_seconds + load.graceful_stop_seconds - 1 if one.outcome == "open" else one.ended].append(one)
    for second in range(load.duration_seconds + load.graceful_stop_seconds):
        cells = [*begun(meant[second]), *ended(played, told[second])]
        tally.add(Delta(0, 0, second, cells, Pulse(loop_lag=sparse_of([played.lag] * 50))))
    return tally


def _groups(attempts: list[Attempt]) -> list[tuple[tuple[int, int, int], list[Attempt]]]:
    groups: dict[tuple[int, int, int], list[Attempt]] = defaultdict(list)
    for one in attempts:
        groups[one.second, one.stage, one.kind].append(one)
    return list(groups.items())


def begun(attempts: list[Attempt]) -> list[Cell]:
    return [
        Cell(
            *key,
            planned=len(group),
            sent=sum(one.outcome != "dropped" for one in group),
            dropped=sum(one.outcome == "dropped" for one in group),
        )
        for key, group in _groups(attempts)
    ]


def ended(played: Played, attempts: list[Attempt]) -> list[Cell]:
    return [_cell(played, key, group) for key, group in _groups([one for one in attempts if one.outcome != "dropped"])]


def _cell(played: Played, key: tuple[int, int, int], group: list[Attempt]) -> Cell:
    good = [one for one in group if one.outcome == "ok"]
    cell = Cell(*key, succeeded=len(good), good=sum(bool(is_good(played, one)) for one in good))
    cell.incomplete = sum(one.outcome == "open" for one in group)
    for one in group:
        if one.outcome not in ("ok", "open"):
            cell.errors[one.outcome] = cell.errors.get(one.outcome, 0) + 1
    _fill(cell.histograms, Metric.RESPONSE_TIME, [one.response + one.late for one in good])
    _fill(cell.histograms, Metric.TIME_TO_FIRST_TOKEN, [one.first + one.late for one in good if one.first is not None])
    timed_out = [one for one in group if one.outcome in TIMEOUTS]
    _fill(cell.censored, Metric.RESPONSE_TIME, [one.response for one in timed_out])
    if played.plan.requests[key[2]].streams:
        _fill(cell.censored, Metric.TIME_TO_FIRST_TOKEN, [one.response for one in timed_out])
    return cell


def _fill(into: dict, metric: Metric, values: list[int]) -> None:  # type: ignore[type-arg]
    if values:
        into[METRIC_INDEX[metric]] = sparse_of(values)
