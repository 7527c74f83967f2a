"""The loop that waits for a verdict: a look a second, shown; errors that may pass are waited out for a while."""

from collections.abc import Callable
from dataclasses import dataclass

from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.core.statuses import Object, sweep_of
from kubectl_loadtest.core.watching import Patience, Seen, hint, seen
from kubectl_loadtest.problems import NotFoundError, PluginError, UndecidedError
from kubectl_loadtest.views.screen import Show
from kubectl_loadtest.words import duration
from loadtest_operator.api.sweep import SweepPhase

EVERY_SECONDS = 1.0
WAITS_ON = "the sweep goes on: `kubectl loadtest sweep {name} --wait` follows it"


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds that pass, and passing them."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def follow(
    look: Callable[[], Object], first: Object, wanted: Wanted, show: Show, clock: Clock, longest: float | None
) -> Seen:
    """The wanted run when it has ended. Raises UndecidedError where the waiting ended first.

    `first` is the LoadTest as it was read or written last, `look` reads it again.
    """
    name, body, notes = first["metadata"]["name"], first, [""]
    patience = Patience(clock.now(), longest)
    while True:
        found = seen(body, wanted)
        if found.verdict is not None:
            return found
        show(found, [hint(found, clock.now() - patience.began), *notes], clock.now())
        patience.check(name, clock.now())
        clock.sleep(EVERY_SECONDS)
        body, notes = _again(look, body, patience, clock)


def awaited(look: Callable[[], Object], tell: Callable[[str], None], clock: Clock, longest: float | None) -> Object:
    """A LoadTestSweep when it has ended; its message is told whenever it changes. Raises UndecidedError where the waiting
    ended first."""
    body, said, patience = look(), "", Patience(clock.now(), longest)
    name = body["metadata"]["name"]
    while sweep_of(body).phase is not SweepPhase.FINISHED:
        message = sweep_of(body).message or ""
        if message != said:
            tell(message)
            said = message
        patience.check(name, clock.now(), WAITS_ON)
        clock.sleep(EVERY_SECONDS)
        try:
            body = look()
        except NotFoundError as error:
            raise UndecidedError(f"LoadTestSweep {name} was deleted while it was watched: no verdict") from error
        except PluginError as error:
            if not error.retryable:
                raise
            patience.silent(error, clock.now())
        else:
            patience.answered()
    return body


def _again(look: Callable[[], Object], old: Object, patience: Patience, clock: Clock) -> tuple[Object, list[str]]:
    """The next look, or the old one and a note that there is no new one."""
    name = old["metadata"]["name"]
    try:
        body = look()
    except NotFoundError as error:
        raise UndecidedError(f"LoadTest {name} was deleted while it was watched: there will be no verdict") from error
    except PluginError as error:
        if not error.retryable:
            raise
        return old, [f"as of {duration(patience.silent(error, clock.now()))} ago, since then: {error}"]
    if body["metadata"]["uid"] != old["metadata"]["uid"]:
        raise UndecidedError(
            f"LoadTest {name} was deleted and made anew while it was watched: there will be no verdict"
        )
    patience.answered()
    return body, []
