"""A LoadTest as the API server has it, read: spec leniently (a newer operator may know more), status by its model."""

from typing import Any, TypeVar

from pydantic import ValidationError

from kubectl_loadtest.problems import PluginError
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.api.sweep import LoadTestSweepStatus

StatusT = TypeVar("StatusT", LoadTestStatus, LoadTestSweepStatus)
Object = dict[str, Any]
DEFAULT_TOKEN = "1"  # noqa: S105 - the API's default of runToken, no password


def status_of(body: Object) -> LoadTestStatus:
    """Its status. Raises PluginError where it is none that this release knows."""
    return _known(LoadTestStatus, "LoadTest", body)


def sweep_of(body: Object) -> LoadTestSweepStatus:
    """The same of a LoadTestSweep."""
    return _known(LoadTestSweepStatus, "LoadTestSweep", body)


def _known(model: type[StatusT], kind: str, body: Object) -> StatusT:
    try:
        return model.model_validate(body.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise PluginError(
            f"the status of {kind} {body['metadata']['name']} is of another release (status.{field}: {first['msg']}): "
            "use the kubectl-loadtest of the operator's release"
        ) from error


def token_of(body: Object) -> str:
    """The runToken that is asked for."""
    return str((body.get("spec") or {}).get("runToken") or DEFAULT_TOKEN)


def is_active(body: Object, status: LoadTestStatus) -> bool:
    """Whether a run goes on, or is about to: what is written now would meet it."""
    if not status.run.number:
        return True
    return status.phase is not Phase.FINISHED or status.run.token != token_of(body)


def where(body: Object, status: LoadTestStatus) -> str:
    """`run 3 (Running, stage peak, 62 %)`."""
    if not status.run.number:
        return "its first run (not taken up by the operator yet)"
    if status.phase is Phase.FINISHED and status.run.token != token_of(body):
        return f"the run after run {status.run.number} (not taken up by the operator yet)"
    stage = f", stage {status.run.current_stage}" if status.run.current_stage else ""
    percent = "" if status.run.progress_percent is None else f", {status.run.progress_percent} %"
    return f"run {status.run.number} ({status.phase or Phase.PENDING}{stage}{percent})"
