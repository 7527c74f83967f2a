"""Waiting for one run: `seen` says from one look where it is, `Patience` when to stop looking. Pure; time is an argument.

A finished LoadTest proves nothing: it may be the run before. Only a run with the wanted token and a number above the one that
was there before counts, in the status or, where others were faster, in the history.
"""

from dataclasses import dataclass

from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.core.statuses import Object, status_of, token_of
from kubectl_loadtest.problems import PluginError, UndecidedError
from kubectl_loadtest.words import duration
from loadgen.model.report import Verdict
from loadtest_operator.api.status import LoadTestStatus, PastRun, Phase

LONGEST_SILENCE = 120.0
"""Seconds without an answer of the API server after which waiting ends."""
OPERATOR_SECONDS = 15.0
"""Seconds after which it is odd that the operator has not taken a run up."""
GOES_ON = "the run goes on: `kubectl loadtest watch {name}` follows it, `kubectl loadtest abort {name}` stops it"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look."""

    status: LoadTestStatus
    ours: bool
    """Whether the status is about the wanted run."""
    verdict: Verdict | None = None
    past: PastRun | None = None
    """The wanted run, where it has moved into the history."""


def seen(body: Object, wanted: Wanted) -> Seen:
    """Where the wanted run is. Raises UndecidedError where it will not come any more."""
    status = status_of(body)
    run = status.run
    if run.number > wanted.after and run.token == wanted.token:
        return Seen(status, True, status.verdict if status.phase is Phase.FINISHED else None)
    for past in status.history:
        if past.number > wanted.after and past.token == wanted.token:
            return Seen(status, False, past.verdict, past)
    if token_of(body) != wanted.token:
        raise UndecidedError(
            f"the run with runToken {wanted.token!r} will not come: somebody set runToken {token_of(body)!r} meanwhile; "
            f"`kubectl loadtest watch {body['metadata']['name']}` follows that run"
        )
    return Seen(status, False)


@dataclass(slots=True)
class Patience:
    """How long is waited for a verdict, and for an API server that does not answer. Seconds on one clock."""

    began: float
    longest: float | None = None
    silent_since: float | None = None

    def answered(self) -> None:
        self.silent_since = None

    def silent(self, error: PluginError, now: float) -> float:
        """Seconds since the last answer; raises the error where that is too long."""
        if self.silent_since is None:
            self.silent_since = now
        if now - self.silent_since > LONGEST_SILENCE:
            raise error
        return now - self.silent_since

    def check(self, name: str, now: float, goes_on: str = GOES_ON) -> None:
        """Raises UndecidedError when the time is over."""
        if self.longest is not None and now - self.began >= self.longest:
            raise UndecidedError(f"no verdict within {duration(self.longest)} (--timeout); {goes_on.format(name=name)}")


def hint(look: Seen, waited: float) -> str:
    """What is odd about a run that does not begin."""
    if look.ours or waited < OPERATOR_SECONDS:
        return ""
    if look.status.run.number and look.status.phase is not Phase.FINISHED:
        return f"waits for the end of run {look.status.run.number}"
    return (
        f"the operator has not taken it up for {duration(waited)}: is it running? "
        "`kubectl get pods -A -l app.kubernetes.io/name=loadtest-operator`"
    )
