"""What `run`, `rerun` and `abort` write. Pure: the LoadTest as it is, and what was asked for, give what is sent or a refusal.

A new run needs a new runToken. A change is a JSON patch that begins with tests of the LoadTest's uid and generation: where
somebody has changed the spec since it was read, the server refuses all of it, while the operator's writes of the status, which
leave the generation alone, do not stand in the way.
"""

from dataclasses import dataclass
from typing import Any

from kubectl_loadtest.core.manifest import Manifest
from kubectl_loadtest.core.statuses import Object, is_active, status_of, token_of, where
from kubectl_loadtest.problems import BadInputError
from loadtest_operator.api.status import LoadTestStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """The run that was asked for: this token, and a number above `after`."""

    token: str
    after: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A JSON patch, empty where nothing is to be done, and the run that it is about."""

    steps: list[Object]
    wanted: Wanted


def to_create(manifest: Manifest) -> tuple[Object, Wanted]:
    """The LoadTest to send where there is none."""
    return manifest.body, Wanted(token_of(manifest.body))


def to_run(manifest: Manifest, live: Object, token: str) -> Change:
    """A LoadTest that is there gets the file's spec. Without a runToken in the file it gets `token`, so that it runs again;
    with one that was run before it is refused, for its verdict would be an old one.
    """
    status = _idle(live)
    spec = {"runToken": token, **manifest.body["spec"]}
    used = {status.run.token: status.run.number, **{past.token: past.number for past in status.history}}
    if (number := used.get(str(spec["runToken"]))) is not None:
        raise BadInputError(
            f"spec.runToken {spec['runToken']!r} was run already, as run {number}: write a new one, leave it out for one of "
            f"its own, or use `kubectl loadtest rerun {manifest.name}`"
        )
    steps = [*_same_spec(live), _set("/spec", spec)]
    for field in ("labels", "annotations"):
        mine, theirs = manifest.body["metadata"].get(field) or {}, live["metadata"].get(field) or {}
        if mine.items() - theirs.items():
            steps.append(_set(f"/metadata/{field}", {**theirs, **mine}))
    return Change(steps, Wanted(str(spec["runToken"]), status.run.number))


def to_rerun(live: Object, token: str) -> Change:
    """Another run of the same; an `abort` that would end it at once is taken back."""
    status = _idle(live)
    steps = [*_same_spec(live), _set("/spec/runToken", token)]
    if live["spec"].get("abort"):
        steps.append(_set("/spec/abort", False))
    return Change(steps, Wanted(token, status.run.number))


def to_abort(live: Object) -> Change:
    """The run stops; nothing is sent where that was asked for already."""
    name = live["metadata"]["name"]
    status = status_of(live)
    if not is_active(live, status):
        raise BadInputError(
            f"LoadTest {name} has no run to abort: run {status.run.number} ended {status.verdict}; "
            f"`kubectl loadtest report {name}` shows it"
        )
    steps = [] if live["spec"].get("abort") else [*_same_spec(live), _set("/spec/abort", True)]
    return Change(steps, current(live))


def current(live: Object) -> Wanted:
    """The run that a watcher means: the one that goes on, else the last one."""
    status = status_of(live)
    token = token_of(live)
    return Wanted(token, status.run.number - 1 if status.run.token == token else status.run.number)


def _idle(live: Object) -> LoadTestStatus:
    """The status of a LoadTest that may begin another run; a refusal of any other."""
    name = live["metadata"]["name"]
    if live["metadata"].get("deletionTimestamp"):
        raise BadInputError(f"LoadTest {name} is being deleted: wait until it is gone")
    status = status_of(live)
    if is_active(live, status):
        raise BadInputError(
            f"{where(live, status)} of LoadTest {name} goes on: `kubectl loadtest watch {name}` follows it, "
            f"`kubectl loadtest abort {name}` stops it"
        )
    return status


def _same_spec(live: Object) -> list[Object]:
    """Tests that the LoadTest is the one that was read, and its spec the same."""
    return [
        {"op": "test", "path": f"/metadata/{field}", "value": live["metadata"][field]}
        for field in ("uid", "generation")
    ]


def _set(path: str, value: Any) -> Object:
    return {"op": "add", "path": path, "value": value}
