"""Waiting for one run, and never taking another's verdict for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import Object
from kubectl_loadtest.core import starting, watching
from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.core.watching import Seen, seen
from kubectl_loadtest.following import Clock, follow
from kubectl_loadtest.problems import NotFoundError, PluginError, UndecidedError, UnreachableError
from loadgen.model.report import Verdict
from unit.plugin.statuses import a_run, a_test, finished, past


def test_the_verdict_that_was_there_before_is_not_ours() -> None:
    """A finished LoadTest whose new run the operator has not begun is waited for."""
    found = seen(a_test(finished(3, "Passed", "old"), token="new"), Wanted("new", 3))
    assert found.verdict is None
    assert not found.ours


def test_a_token_used_before_does_not_bring_its_old_verdict_back() -> None:
    """The run with this token in the history is another one: its number is not above that of the run before ours."""
    body = a_test(finished(3, "Passed", "b", history=[past(2, "Passed", "a")]), token="a")
    assert seen(body, starting.current(body)).verdict is None


@pytest.mark.parametrize("verdict", Verdict)
def test_a_finished_run_has_its_verdict(verdict: Verdict) -> None:
    """The one of the status, for the token and a number above the last."""
    found = seen(a_test(finished(4, verdict, "new"), token="new"), Wanted("new", 3))
    assert found.verdict is verdict
    assert found.ours


def test_a_run_that_others_have_followed_by_another_is_found_in_the_history() -> None:
    """Its verdict is still known."""
    body = a_test(a_run(5, token="theirs", history=[past(4, "Failed", "ours")]), token="theirs")
    found = seen(body, Wanted("ours", 3))
    assert found.verdict is Verdict.FAILED
    assert found.past is not None
    assert not found.ours


def test_a_run_that_will_not_come_is_not_waited_for() -> None:
    """Somebody set another token before the operator saw ours."""
    with pytest.raises(UndecidedError, match="'theirs'"):
        seen(a_test(finished(3, token="old"), token="theirs"), Wanted("ours", 3))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (a_test(a_run(2, token="b"), token="b"), Wanted("b", 1)),
        (a_test(finished(2, token="b"), token="b"), Wanted("b", 1)),
        (a_test(finished(2, token="b"), token="c"), Wanted("c", 2)),
        (a_test(token="a"), Wanted("a", 0)),
    ],
    ids=["one that goes on", "one that has ended", "one that was just asked for", "the first, not begun"],
)
def test_a_watcher_means_the_run_that_goes_on_or_the_last(body: Object, wanted: Wanted) -> None:
    """Asked without a number."""
    assert starting.current(body) == wanted


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Verdict))), min_size=1, max_size=6),
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 6),
)
def test_no_older_run_ever_answers(runs: list[tuple[str, Verdict]], token: str, after: int) -> None:
    """Over any history with tokens used again and again: the verdict given is that of a run above the number, with the token."""
    numbered = [(number, *run) for number, run in enumerate(runs, start=1)]
    *older, (number, last, verdict) = numbered
    history = [past(n, v, t) for n, t, v in reversed(older)]
    body = a_test(finished(number, verdict, last, history=history), token=token)

    found = seen(body, Wanted(token, after))

    allowed = {v for n, t, v in numbered if n > after and t == token}
    assert (found.verdict in allowed) if allowed else found.verdict is None


@dataclass
class Hour:
    """A clock that passes by being slept on, and a list of what each look finds."""

    looks: list[Object | PluginError]
    now: float = 0.0
    shown: list[tuple[Seen, list[str]]] = field(default_factory=list)

    def look(self) -> Object:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, PluginError):
            raise found
        return found

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def show(self, look: Seen, notes: Iterable[str], _now: float) -> None:
        self.shown.append((look, [note for note in notes if note]))

    def follow(self, first: Object, wanted: Wanted, longest: float | None = None) -> Seen:
        return follow(self.look, first, wanted, self.show, Clock(lambda: self.now, self.pass_time), longest)


def test_a_run_is_followed_to_its_end() -> None:
    """Pending, running, finished: shown once a second, and its verdict is the answer."""
    hour = Hour([a_test(a_run(1, "Preparing")), a_test(a_run(1)), a_test(finished(1, "Failed"))])
    assert hour.follow(a_test(), Wanted("1")).verdict is Verdict.FAILED
    assert [look.status.phase for look, _ in hour.shown] == [None, "Preparing", "Running"]
    assert hour.now == 3


def test_a_short_outage_is_waited_out() -> None:
    """What was last seen stays on the screen, with how old it is."""
    away = UnreachableError("no answer")
    hour = Hour([*[away] * 60, a_test(finished())])
    assert hour.follow(a_test(a_run()), Wanted("1")).verdict is Verdict.PASSED
    assert hour.shown[-1][1] == ["as of 59 s ago, since then: no answer"]


def test_an_api_server_that_stays_away_ends_the_waiting() -> None:
    """After two minutes, as an error and not as a verdict."""
    hour = Hour([UnreachableError("no answer")])
    with pytest.raises(UnreachableError):
        hour.follow(a_test(a_run()), Wanted("1"))
    assert watching.LONGEST_SILENCE < hour.now < watching.LONGEST_SILENCE + 5


@pytest.mark.parametrize("left", [0, 1], ids=["at the first look", "after an outage"])
def test_what_does_not_pass_is_not_waited_for(left: int) -> None:
    """A permission that is taken away ends it at once."""
    hour = Hour([*[UnreachableError("no answer")] * left, PluginError("not allowed")])
    with pytest.raises(PluginError, match="not allowed"):
        hour.follow(a_test(a_run()), Wanted("1"))


def test_a_timeout_is_no_verdict() -> None:
    """The exit code is that of Inconclusive, and the sentence says that the run goes on."""
    hour = Hour([a_test(a_run())])
    with pytest.raises(UndecidedError, match="no verdict within 1 min 30 s") as ended:
        hour.follow(a_test(a_run()), Wanted("1"), longest=90)
    assert ended.value.code == 3
    assert hour.now == 90


def test_a_timeout_holds_during_an_outage_too() -> None:
    """Whatever is waited for."""
    hour = Hour([UnreachableError("no answer")])
    with pytest.raises(UndecidedError):
        hour.follow(a_test(a_run()), Wanted("1"), longest=10)


@pytest.mark.parametrize("anew", [False, True], ids=["deleted", "deleted and made anew"])
def test_a_load_test_that_goes_has_no_verdict(anew: bool) -> None:
    """Another one with the same name answers for nothing."""
    other = a_test(finished())
    other["metadata"]["uid"] = "another"
    hour = Hour([other if anew else NotFoundError("gone")])
    with pytest.raises(UndecidedError, match="deleted"):
        hour.follow(a_test(a_run()), Wanted("1"))


def test_an_operator_that_does_not_come_is_asked_after() -> None:
    """Not at once: it has a moment to see the new run."""
    hour = Hour([*[a_test()] * 20, a_test(finished())])
    hour.follow(a_test(), Wanted("1"))
    assert hour.shown[10][1] == []
    assert "is it running?" in hour.shown[18][1][0]
