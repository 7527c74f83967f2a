"""A stored run, asked what its autoscaler would have done with other settings. Pure."""

from collections.abc import Iterable

import msgspec

from kubectl_loadtest.core.stored import Stored
from kubectl_loadtest.problems import BadInputError, PluginError, UndecidedError
from loadtest_operator.core.scaling.replay.course import Record, UnknowableError
from loadtest_operator.core.scaling.replay.prediction import Prediction, predict
from loadtest_operator.core.scaling.replay.settings import SettingError
from loadtest_operator.core.scaling.timeline import Timeline


def answered(stored: Stored, settings: Iterable[str]) -> Prediction:
    """Raises UndecidedError where the run does not tell, BadInputError where a setting is none."""
    try:
        timeline = msgspec.convert(stored.beside.get("timeline") or {}, Timeline)
    except (msgspec.ValidationError, TypeError) as error:
        raise PluginError(
            f"what was seen of the target was stored by another release: {error}; use the kubectl-loadtest of the "
            "operator's release"
        ) from error
    record = Record(stored.report, timeline, faults=bool(stored.beside.get("faults")))
    try:
        return predict(record, settings)
    except SettingError as error:
        raise BadInputError(f"--set {error}") from error
    except UnknowableError as error:
        raise UndecidedError(f"what would have been is not known: {error}") from error
