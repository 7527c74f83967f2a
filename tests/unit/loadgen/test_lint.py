"""All problems at once, in the user's words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.judge.advice import advice, undecidable
from loadgen.core.judge.lint import OPERATOR_FIELDS, access, parse, problems
from loadgen.model.errors import InvalidPlanError
from unit.loadgen.plans import a_plan, closed, opened

STAGE: dict[str, Any] = {"name": "peak", "durationSeconds": 60, "arrivalRate": 5}
REQUEST: dict[str, Any] = {"name": "get", "http": {}}
THRESHOLD: dict[str, Any] = {"name": "t", "metric": "ErrorPercent", "operator": "LessThan", "value": 1}


def a_document(**parts: Any) -> dict[str, Any]:
    return {"requests": [REQUEST], "load": {"stages": [STAGE]}, **parts}


def a_load_test(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": "x"},
        "spec": {**a_document(), **spec},
    }


def with_stage(**fields: Any) -> dict[str, Any]:
    return a_document(load={"stages": [{**STAGE, **fields}]})


def with_request(**fields: Any) -> dict[str, Any]:
    return a_document(requests=[{**REQUEST, **fields}])


def with_gradio(**fields: Any) -> dict[str, Any]:
    return a_document(requests=[{"name": "call", "gradio": {"apiName": "predict", "data": "[]", **fields}}])


def with_threshold(**fields: Any) -> dict[str, Any]:
    return a_document(thresholds=[{**THRESHOLD, **fields}])


def without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {field: value for field, value in item.items() if field != name}


def test_a_plan_and_a_load_test_hold_the_same_plan() -> None:
    assert problems(a_document()) == problems(a_load_test()) == []
    assert parse(a_document()) == parse(a_load_test())


def test_the_operators_fields_are_passed_over() -> None:
    assert problems(a_load_test(**dict.fromkeys(OPERATOR_FIELDS, "anything"))) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (with_stage(duration=5), "load.stages[peak].duration is not a known field: did you mean durationSeconds?"),
        (with_stage(arrivalRate=0.5),
         "load.stages[peak].arrivalRate: 0.5 is not allowed here: "
         'write an integer or a decimal in quotes, such as "0.5"'),
        (with_stage(durationSeconds=0), "load.stages[peak].durationSeconds is 0: write at least 1"),
        (with_stage(durationSeconds="long"), "load.stages[peak].durationSeconds is 'long': write a whole number"),
        (with_stage(ramp="linear"), "load.stages[peak].ramp is 'linear': did you mean Linear?"),
        (with_stage(rampSeconds=61), "load.stages[peak]: rampSeconds 61 is longer than durationSeconds 60"),
        (with_stage(concurrency=5), "load.stages[peak]: set exactly one of arrivalRate and concurrency, not 2"),
        (with_stage(name="Peak 1"),
         "load.stages[Peak 1].name is 'Peak 1': write lower-case letters, digits and dashes, such as peak-2"),
        (with_stage(warmup="perhaps"), "load.stages[peak].warmup is 'perhaps': write true or false"),
        (a_document(load={"stages": [without(STAGE, "durationSeconds")]}),
         "load.stages[peak].durationSeconds is required: length of the stage in seconds, its ramp included"),
        (a_document(load={"stages": [{**without(STAGE, "durationSeconds"), "duration_seconds": 5}]}),
         "load.stages[peak].duration_seconds is not a known field: did you mean durationSeconds?"),
        (a_document(load={"stages": []}), "load.stages is []: write at least 1 entries"),
        (a_document(load={"stages": [STAGE, STAGE]}), "load.stages: names must be unique; used more than once: peak"),
        (
            with_request(http={"expectBody": {"matches": "(ok"}}),
            "requests[get].http.expectBody.matches: '(ok' is no regular expression: "
            "missing ), unterminated subpattern at position 0",
        ),
        (with_request(http={"path": "x"}), "requests[get].http.path is 'x': write a path that begins with /"),
        (with_request(ratePerSecond=1, weight=1), "requests[get]: set weight or ratePerSecond, not both"),
        (with_request(ratePerSecond=1), "requests: at least one needs a weight; all of them have ratePerSecond"),
        (with_gradio(data=" 7"), "requests[call].gradio.data: ' 7' is no JSON array: write the inputs in brackets"),
        (with_gradio(apiName="a/b"),
         "requests[call].gradio.apiName is 'a/b': write a function's name, such as predict"),
        (
            with_gradio(protocol="QueueJoin"),
            "requests[call].gradio: protocol QueueJoin takes the function as fnIndex: set it, and leave apiName out",
        ),
        (with_gradio(protocol="Join"), "requests[call].gradio.protocol is 'Join': did you mean QueueJoin?"),
        (
            with_gradio(data="[hello]"),
            "requests[call].gradio.data: '[hello]' is no JSON array: Expecting value: line 1 column 2 (char 1); "
            """write such as '["{prompt}", 0.7]'""",
        ),
        (
            with_gradio(data='["{prompt}"]'),
            "requests[call].gradio: data holds {prompt}: set prompt, which says what stands in for it",
        ),
        (
            with_gradio(prompt={"text": "hi"}),
            'requests[call].gradio: prompt has no place in data: write "{prompt}" where it belongs',
        ),
        (with_threshold(stages=["peek"]), "thresholds[t].stages 'peek' is no stage: did you mean peak?"),
        (with_threshold(request="post"), "thresholds[t].request 'post' is no request: one of get"),
        (with_threshold(metric="ErrorRate"), "thresholds[t].metric is 'ErrorRate': did you mean ErrorPercent?"),
        (with_threshold(statistic="P95"), "thresholds[t]: statistic does not apply to ErrorPercent: leave it out"),
        (a_document(lod={}), "lod is not a known field: did you mean load?"),
        (a_load_test(tresholds=[]), "spec.tresholds is not a known field: did you mean thresholds?"),
        (a_load_test(load=None), "spec.load is empty: write a mapping"),
        ({**a_load_test(), "kind": "Loadtest"}, "kind is 'Loadtest': write LoadTest"),
        ({**a_load_test(), "spec": None}, "spec is empty: write a mapping with requests and load"),
        ([1], "a plan is a mapping with requests and load, not [1]"),
    ],
)  # fmt: skip
def test_one_problem_one_sentence(document: Any, problem: str) -> None:
    assert problems(document) == [problem]


def test_all_problems_are_told_at_once() -> None:
    document = a_document(
        load={"workers": 0, "stages": [{**STAGE, "ramp": "x"}, {**STAGE, "name": "two", "durationSeconds": -1}]},
        thresholds=[{**THRESHOLD, "stages": ["three"]}, without(THRESHOLD, "value")],
    )
    assert problems(document) == [
        "load.workers is 0: write at least 1",
        "load.stages[peak].ramp is 'x': one of Linear, Exponential",
        "load.stages[two].durationSeconds is -1: write at least 1",
        "thresholds[1].value is required: the bound: milliseconds for latencies, percent, or per second",
        "thresholds: names must be unique; used more than once: t",
        "thresholds[t].stages 'three' is no stage: one of peak, two",
    ]


def test_a_bad_document_raises_with_all_problems() -> None:
    with pytest.raises(InvalidPlanError) as caught:
        parse({})
    assert caught.value.problems == ["requests is required: the mix", "load is required: stages and workers"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["requests", "load", "stages", "name", "spec", "thresholds", "http", "slo"]), inner
        )
    ),
)


@given(anything)
def test_no_document_is_too_odd(document: Any) -> None:
    assert all(isinstance(problem, str) and problem for problem in problems(document))


P99 = {"name": "p", "metric": "ResponseTime", "statistic": "P99", "operator": "LessThan", "value": 1}
CHAT = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "x"}, "stream": False}}


def test_advice_on_percentiles_that_the_plan_cannot_support() -> None:
    assert advice(a_plan(opened(4, 60), thresholds=[P99])) == [
        "thresholds[p]: P99 of ResponseTime < 1 ms needs 299 requests without one against it, and about 240 are planned: "
        "it would end Unknown; run longer, send more, ask for less, or set decision: Point"
    ]
    assert advice(a_plan(opened(5, 60), thresholds=[P99])) == []
    assert advice(a_plan(opened(4, 60), thresholds=[{**P99, "decision": "Point"}])) == []
    assert advice(a_plan(closed(1, 1), thresholds=[P99])) == []
    assert advice(a_plan(opened(12, 60), opened(1, 10), thresholds=[{**P99, "stages": ["s1"]}]))


def test_advice_counts_only_the_named_request() -> None:
    requests = [
        {**REQUEST, "weight": 9},
        {"name": "rare", "http": {}},
        {"name": "tick", "ratePerSecond": 20, "http": {}},
    ]
    plan = a_plan(opened(20, 60), requests=requests, thresholds=[{**P99, "request": "rare"}])
    assert "about 120 are planned" in advice(plan)[0]
    assert advice(a_plan(opened(1, 60), requests=requests, thresholds=[{**P99, "request": "tick"}])) == []


def test_advice_on_shares_and_rates_that_the_plan_cannot_show() -> None:
    """With the numbers, and what would do; closed stages plan no number, a bound of nothing is about these requests alone."""
    errors = {"name": "e", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}
    (said,) = advice(a_plan(opened(2, 111), thresholds=[errors]))
    assert said.startswith(
        "thresholds[e]: ErrorPercent <= 1 % needs 299 requests without a failure, and about 222 are planned"
    )
    assert advice(a_plan(opened(2, 111), thresholds=[{**errors, "value": 2}])) == []
    assert advice(a_plan(opened(2, 111), thresholds=[{**errors, "value": 0}])) == []
    assert advice(a_plan(closed(2, 10), thresholds=[errors])) == []
    rate = {"name": "r", "metric": "RequestsPerSecond", "operator": "GreaterThanOrEqual", "value": 20}
    assert "asks for as many answers as are planned, 20 a second" in advice(a_plan(opened(20), thresholds=[rate]))[0]
    assert advice(a_plan(opened(25), thresholds=[rate])) == []


def test_a_fault_takes_its_seconds_from_what_can_be_shown() -> None:
    errors = {"name": "e", "metric": "ErrorPercent", "operator": "LessThanOrEqual", "value": 1}
    plan = a_plan(opened(10, 40), thresholds=[errors])
    assert undecidable(plan) == []
    assert "about 200 are planned" in undecidable(plan, [range(10, 30)])[0]


def test_advice_on_a_plan_of_no_requests() -> None:
    assert advice(a_plan(opened(0))) == [
        "load.stages plan no request, so nothing can be said: give a stage an arrivalRate of more than 0"
    ]
    assert advice(a_plan(opened(0), closed(1))) == []


@pytest.mark.parametrize("name", ["errors-default", "any-success"])
def test_names_of_the_implicit_thresholds_are_reserved(name: str) -> None:
    """One of them twice in a status would be refused at the very end, after the load."""
    (said,) = problems(
        {"requests": [REQUEST], "load": {"stages": [opened(1, name="s")]}, "thresholds": [{**P99, "name": name}]}
    )
    assert said.startswith("thresholds[0].name") or said.startswith(f"thresholds[{name}].name")
    assert "is the name of a threshold that is always there" in said


def test_the_old_name_of_two_metrics_is_refused_with_both() -> None:
    old = {"name": "t", "metric": "OutputTokensPerSecond", "operator": "GreaterThan", "value": 1}
    (said,) = problems({"requests": [REQUEST], "load": {"stages": [opened(1, name="s")]}, "thresholds": [old]})
    assert "OutputTokenThroughput" in said
    assert "OutputTokensPerSecondPerUser" in said


def test_advice_on_a_prompt_that_is_always_the_same() -> None:
    asked = {"model": "m", "prompt": {"text": "x"}}
    (said,) = advice(a_plan(opened(10), requests=[{"name": "chat", "openAIChat": asked}]))
    assert said.startswith("requests[chat]: every request has the same prompt")
    for differing in ({"text": "x", "cacheBust": True}, {"synthetic": {"inputTokens": {"mean": 5}}}):
        request = {"name": "chat", "openAIChat": {**asked, "prompt": differing}}
        assert advice(a_plan(opened(10), requests=[request])) == []
    trickle = {"name": "chat", "openAIChat": asked, "ratePerSecond": 1}
    assert advice(a_plan(opened(10), requests=[REQUEST, trickle])) == []


def test_advice_on_streams_and_warmup() -> None:
    token = {**P99, "metric": "TimeToFirstToken", "statistic": "P50"}
    assert "measured on streamed answers only" in advice(a_plan(opened(10), requests=[CHAT], thresholds=[token]))[0]
    call = {"name": "call", "gradio": {"apiName": "predict", "data": "[]"}}
    assert advice(a_plan(opened(10), requests=[call], thresholds=[token])) == []
    call = {"name": "call", "gradio": {**call["gradio"], "protocol": "Predict"}}
    assert "protocol: Queue" in advice(a_plan(opened(10), requests=[call], thresholds=[token]))[0]
    call = {"name": "call", "gradio": {"fnIndex": 0, "data": "[]", "protocol": "QueueJoin"}}
    assert advice(a_plan(opened(10), requests=[call], thresholds=[token])) == []
    assert advice(a_plan(opened(10, warmup=True)))


KEY = {"secretKeyRef": {"name": "gateway", "key": "token"}}


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"authorization": {}}, "spec.target.authorization: set exactly one of bearer, basic and header, not 0"),
        ({"authorization": {"bearer": {"key": "x"}}}, "spec.target.authorization.bearer.secretKeyRef: Field required"),
        ({"tls": {}}, "spec.target.tls: set ca, serverName or both"),
        ({"tls": {"server_name": "web"}}, "spec.target.tls.server_name: Extra inputs are not permitted"),
        (
            {"authorization": {"header": {"name": "X-Api-Key", **KEY}}},
            "spec.requests[get].http.headers has 'x-api-key', which target.authorization sets from a Secret",
        ),
    ],
)
def test_the_targets_access_is_judged(target: dict[str, Any], problem: str) -> None:
    document = a_load_test(target=target, requests=[{"name": "get", "http": {"headers": {"x-api-key": "1"}}}])
    assert problems(document)[0].startswith(problem)


def test_the_targets_access_is_read() -> None:
    document = a_load_test(target={"serviceRef": {"name": "web"}, "authorization": {"bearer": KEY}})
    asked = access(document).authorization

    assert problems(document) == []
    assert asked is not None
    assert asked.header_name == "Authorization"
    assert access(a_document()).authorization is None


def test_a_sweep_is_sent_to_where_sweeps_are_played() -> None:
    """Not a list of fields that a LoadTest does not have."""
    assert problems({"kind": "LoadTestSweep", "spec": {"search": {}}}) == [
        "kind is 'LoadTestSweep', which is many runs: play it with loadgen sweep"
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"slo": {"ttftMillis": 5}},
            "requests[get].slo.ttftMillis is not a known field: did you mean ttftMilliseconds?",
        ),
        (
            {"slo": {"ttftMilliseconds": 0}},
            "requests[get].slo.ttftMilliseconds is 0: write at least 1",
        ),
    ],
)
def test_what_is_wrong_inside_a_part_that_may_be_left_out_is_told_too(fields: dict[str, Any], problem: str) -> None:
    assert problem in problems(with_request(**fields))
