"""Small values: names, times, differences, conditions, leases."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakes.kube import merged
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.common import conditions, diff, names, reasons, times
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.run import leadership
from loadtest_operator.core.run.leadership import Sighting

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
    max_leaves=8,
)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_from_old_to_new(old: dict, new: dict) -> None:  # type: ignore[type-arg]
    assert merged(old, diff.merge_patch(old, new)) == new


@given(OBJECTS)
def test_equal_objects_have_no_difference(thing: dict) -> None:  # type: ignore[type-arg]
    assert diff.merge_patch(thing, thing) == {}


def test_progress_alone_may_wait_but_a_phase_may_not() -> None:
    patient = {"run": frozenset({"progressPercent"}), "summary": None}

    assert not diff.is_urgent({"run": {"progressPercent": 5}, "summary": {"x": 1}}, patient)
    assert diff.is_urgent({"run": {"progressPercent": 5, "loadStartTime": "now"}}, patient)
    assert diff.is_urgent({"phase": "Running"}, patient)


@given(st.text("abcdefghij-", min_size=1, max_size=253), st.integers(1, 9999))
def test_names_fit_and_differ(loadtest: str, run: int) -> None:
    this, other = Names(loadtest, run), Names(loadtest + "x", run)

    assert len(this.secret) <= names.LONGEST
    assert len(this.job) <= names.LONGEST_JOB
    assert this.job != other.job
    assert len({this.job, this.secret, this.plan, this.part("proxy"), this.timeline, this.report}) == 6


def test_times_are_written_as_kubernetes_does() -> None:
    assert times.text(NOON) == "2026-01-01T12:00:00Z"
    assert times.parse("2026-01-01T12:00:00Z") == NOON


@given(st.timedeltas(timedelta(0), timedelta(days=36500)).map(lambda since: NOON + since))
def test_nanoseconds_and_back(moment: datetime) -> None:
    assert times.from_nanoseconds(times.nanoseconds(moment)) == moment


def test_second_zero_is_a_second_of_the_clock() -> None:
    assert times.next_tenth(NOON) == NOON
    assert times.next_tenth(NOON + timedelta(milliseconds=1)) == NOON + timedelta(milliseconds=100)
    assert times.next_tenth(NOON + timedelta(milliseconds=950)) == NOON + timedelta(seconds=1)


def test_a_condition_keeps_its_time_until_it_flips() -> None:
    kind = ConditionType.ACCEPTED
    first = conditions.updated((), [conditions.unknown(kind)], NOON, 1)
    same = conditions.updated(first, [conditions.unknown(kind, reasons.SUSPENDED)], NOON + timedelta(hours=1), 1)
    flipped = conditions.updated(same, [conditions.yes(kind, reasons.ACCEPTED)], NOON + timedelta(hours=2), 2)

    assert conditions.since(same, kind) == NOON
    assert conditions.since(flipped, kind) == NOON + timedelta(hours=2)
    assert flipped[0].observed_generation == 2


def a_lease(holder: str, version: str = "1") -> dict:  # type: ignore[type-arg]
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}


def test_a_free_lease_may_be_taken() -> None:
    assert leadership.may_take(None, Sighting(), "me", NOON)
    assert leadership.may_take(a_lease(""), Sighting(), "me", NOON)


def test_a_lease_in_use_may_not() -> None:
    seen = leadership.seen(Sighting(), a_lease("other"), NOON)

    assert not leadership.may_take(a_lease("other"), seen, "me", NOON + timedelta(seconds=14))


def test_a_lease_that_stands_still_for_its_duration_may_be_taken() -> None:
    seen = leadership.seen(Sighting(), a_lease("other"), NOON)
    still = leadership.seen(seen, a_lease("other"), NOON + timedelta(seconds=16))

    assert leadership.may_take(a_lease("other"), still, "me", NOON + timedelta(seconds=16))


def test_a_renewed_lease_counts_anew_whatever_its_holders_clock_says() -> None:
    seen = leadership.seen(Sighting(), a_lease("other"), NOON)
    renewed = leadership.seen(seen, a_lease("other", version="2"), NOON + timedelta(seconds=14))

    assert not leadership.may_take(a_lease("other", "2"), renewed, "me", NOON + timedelta(seconds=20))


def test_taking_over_counts_a_transition() -> None:
    assert leadership.claimed(a_lease("other"), "n", "ns", "me", NOON)["spec"]["leaseTransitions"] == 1
    assert leadership.claimed(a_lease("me"), "n", "ns", "me", NOON)["spec"]["leaseTransitions"] == 0
