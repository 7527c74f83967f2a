"""The report as a page: the same words and numbers, everything escaped, nothing drawn that was not measured."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.stats import summary
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric, Plan, Severity
from loadgen.model.report import ErrorCount, Report, Result, ThresholdResult, Validity, ValidityLevel, Verdict
from loadgen.report import terminal
from loadgen.report.html import page
from loadgen.report.html.markup import document, el
from loadgen.report.html.style import STYLE
from loadgen.report.html.surroundings import Episode, Span, Steps, Surroundings, Table
from unit.loadgen.deltas import a_cell, a_delta, a_tally, steady
from unit.loadgen.pages import read
from unit.loadgen.plans import a_plan, opened

THRESHOLDS = (
    ThresholdResult(
        name="fast", result=Result.FAILED, severity=Severity.ERROR, observed="34.5 ms", wanted="< 30 ms", window="s1",
        message="fast: P50 of ResponseTime was 34.5 ms in stage s1, wanted < 30 ms (15 % too much)",
    ),
    ThresholdResult(
        name="slowest", result=Result.UNKNOWN, severity=Severity.WARNING, observed="n/a (n < 662)", wanted="< 1 s",
        window="run", message="slowest: about 60 more requests would decide",
    ),
)  # fmt: skip
MEASURED = Validity(level=ValidityLevel.DEGRADED, reasons=("lag P99 was 30 ms: use more workers",), schedule_lag_p99=30)


def a_report(plan: Plan, tally: Tally, **changes: Any) -> Report:
    """The figures are the tally's; what was judged is made up."""
    report = summary.report(
        plan, tally, target="http://web:80", start_time="2026-01-01T12:00:00Z", verdict=Verdict.FAILED,
        message=THRESHOLDS[0].message, validity=MEASURED, thresholds=THRESHOLDS,
        workers=summary.workers(tally, {0: 1.5}),
    )  # fmt: skip
    return report.model_copy(update=changes)


def usual() -> Report:
    plan = a_plan(opened(10, 5, warmup=True), opened(10, 20))
    return a_report(plan, steady(plan, ms=[20.0 + n for n in range(30)]))


def empty() -> Report:
    plan = a_plan()
    return a_report(plan, Tally(plan))


def all_failed() -> Report:
    plan = a_plan(opened(10, 5))
    return a_report(plan, steady(plan, ms=(), errors={"Http503": 9, "ConnectRefused": 1}))


def one_second() -> Report:
    plan = a_plan(opened(10, 1))
    return a_report(plan, steady(plan))


def an_hour() -> Report:
    plan = a_plan(opened(1, 3600))
    return a_report(plan, steady(plan, ms=(10.0,)))


def two_kinds() -> Report:
    """Pages and streamed answers."""
    chat = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "maxTokens": 5}}
    plan = a_plan(opened(10, 20), requests=[{"name": "page", "http": {"path": "/"}}, chat])
    first = {Metric.TIME_TO_FIRST_TOKEN: [5.0 + n for n in range(30)]}
    deltas = [
        a_delta(at, a_cell(at, ms=[20.0] * 30), a_cell(at, request=1, ms=[90.0] * 30, metrics=first, output_tokens=150))
        for at in range(20)
    ]
    return a_report(plan, a_tally(plan, *deltas))


CASES: dict[str, Callable[[], Report]] = {
    "a usual run": usual,
    "a run without a request": empty,
    "a run in which all failed": all_failed,
    "a run of one second": one_second,
    "a run of an hour": an_hour,
    "a run with two kinds of requests": two_kinds,
}


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_what_the_report_says(name: str) -> None:
    """Verdict, sentence, every row of figures and every threshold, worded as in the terminal."""
    report = CASES[name]()
    root = read(page.render(report))

    assert next(root.all("h1")).text.startswith(f"{report.verdict} · ")
    assert report.message in root.text
    shown = root.rows("Requests")
    assert shown[0] == ["", *terminal.COLUMNS]
    assert shown[1] == list(terminal.request_row("run", report.total))
    assert [row[0] for row in shown[2:]] == [
        f"stage {w.name}{' (warmup)' if w.warmup else ''}" for w in report.stages
    ] + [f"request {w.name}" for w in report.requests]
    for found in report.thresholds:
        name = f"{found.name}{' (warning)' if found.severity is Severity.WARNING else ''}"
        assert [str(found.result), name, found.observed, found.wanted, found.window, found.message] in root.rows(
            "What was asked"
        )
    for reason in report.validity.reasons:
        assert reason in root.text


@pytest.mark.parametrize("name", CASES)
def test_the_page_stands_alone(name: str) -> None:
    """No script, nothing to fetch, headings in order, every chart with words, every table with headers, of modest size."""
    text = page.render(CASES[name]())
    root = read(text)

    assert not list(root.all("script", "link", "img", "iframe", "object"))
    assert "http-equiv" in text
    assert not re.search(r"(src|href|xlink:href)=\"(?!#)", text)
    assert "url(" not in text
    assert "@import" not in text
    headings = [int(one.tag[1]) for one in root.all("h1", "h2", "h3")]
    assert headings[0] == 1
    assert headings.count(1) == 1
    for drawing in root.all("svg"):
        assert next(drawing.all("title")).text
        assert drawing.attributes["aria-label"]
    for table in root.all("table"):
        assert list(table.all("caption"))
        assert all(cell.attributes.get("scope") for cell in table.all("th"))
    assert len(text.encode()) < 300_000


def test_streamed_answers_have_their_own_lines_and_rows() -> None:
    """First tokens over time and as a curve, output tokens, and each kind of request."""
    report = two_kinds()
    root = read(page.render(report))

    latencies = root.rows("Latency, milliseconds")
    chat = next(one for one in report.requests if one.name == "chat").latencies[Metric.TIME_TO_FIRST_TOKEN]
    assert ["request chat", *terminal.latency_row("TimeToFirstToken", chat)] in latencies
    assert not any(row[:2] == ["request page", "TimeToFirstToken"] for row in latencies)
    drawn = [str(one.attributes["aria-label"]) for one in root.all("svg")]
    assert any(label.startswith("Latency, ") and "first token P50: " in label for label in drawn)
    assert any(label.startswith("Output tokens, per second. tokens: 150 per second throughout.") for label in drawn)
    assert any(label.startswith("Latency by percentile") and "TimeToFirstToken: P50 " in label for label in drawn)


EVIL = "<script>alert(1)</script>&amp;\"'</td></svg></style>\x00\x1b[31m\u202e\ud800"


def test_text_stays_text() -> None:
    """Whatever an error, a message, a name or a prompt holds, it is shown and never acted upon."""
    report = usual()
    plan = a_plan(
        requests=[{"name": "get", "http": {"path": "/", "method": "POST", "body": EVIL[:-1], "headers": {"x": "<b>"}}}]
    )
    evil = report.model_copy(
        update={
            "message": EVIL,
            "target": f"http://{EVIL}",
            "plan": plan,
            "total": report.total.model_copy(update={"errors": (ErrorCount(failure=EVIL, count=3),), "name": EVIL}),
            "validity": report.validity.model_copy(update={"reasons": (EVIL,)}),
            "thresholds": tuple(one.model_copy(update={"name": EVIL, "message": EVIL}) for one in report.thresholds),
        }
    )
    around = Surroundings(
        title=EVIL,
        notes=[EVIL],
        faults=[Span(EVIL, 1, 2)],
        replicas=[Steps(EVIL, [(0, 1.0)])],
        tables=[Table("Faults", (EVIL,), ((EVIL,),), (EVIL,))],
    )

    text = page.render(evil, around)
    root = read(text)

    text.encode()
    assert not list(root.all("script", "b"))
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>&amp;\"'</td></svg></style>\ufffd" in root.text


@given(st.text())
def test_any_text_survives(text: str) -> None:
    """Any text is read back as it was, in an element and in an attribute, but for what cannot be shown."""
    written = document(text, STYLE, el("p", text, title=text))
    shown = next(read(written).all("p"))
    written.encode()
    assert shown.attributes["title"] == shown.text
    assert [a for a, b in zip(shown.text, text, strict=True) if a not in (b, "\ufffd")] == []


SMALL = one_second()


def paths(text: str, title: str) -> list[str]:
    """What the chart with this title draws, line by line, the legend left out."""
    drawing = next(one for one in read(text).all("svg") if str(one.attributes["aria-label"]).startswith(title))
    return [str(one.attributes["d"]) for one in drawing.all("path") if "h24" not in str(one.attributes["d"])]


def test_a_gap_stays_a_gap() -> None:
    """Seconds without an answer break the latency's line, and the caption counts them."""
    plan = a_plan(opened(10, 9))
    deltas = [a_delta(at, a_cell(at, ms=() if at in (3, 4) else [10.0 + at] * 30)) for at in range(9)]
    text = page.render(a_report(plan, a_tally(plan, *deltas)))

    median = paths(text, "Latency, milliseconds")[0]

    assert median.count("M") == 2
    assert median.count("L") == 5
    assert (
        "response time P50: 10.0 milliseconds at least, 18.0 at most, at 8 s; 2 of 9 seconds have no value."
        in read(text).text
    )


def test_what_is_absent_is_said() -> None:
    """No series, no latency, no threshold, nothing known of the generator: sentences, and no chart of zeros."""
    root = read(page.render(empty().model_copy(update={"series": (), "thresholds": ()})))

    assert "There are no figures by the second" in root.text
    assert "No latency was measured." in root.text
    assert "No threshold was judged." in root.text
    assert "No request was sent." in root.text
    assert not list(root.all("svg"))


def test_a_spike_in_an_hour_is_drawn() -> None:
    """One bad second of 3 600 is on the page, although a screen has fewer places."""
    plan = a_plan(opened(1, 3600))
    deltas = [a_delta(at, a_cell(at, ms=[10.0], errors={"Http503": 77} if at == 1801 else {})) for at in range(3600)]
    text = page.render(a_report(plan, a_tally(plan, *deltas)))

    failed = paths(text, "Failures by their intended start")[0]

    assert "failed: 0.00 per second at least, 77.0 at most, at 0:30:01." in read(text).text
    heights = [float(y) for y in re.findall(r" ([\d.]+)", failed)]
    assert min(heights) < 0.6 * max(heights)


def test_replicas_and_faults_share_the_axis() -> None:
    """What a cluster saw is drawn over the same seconds, as steps, with the faults shaded and named."""
    around = Surroundings(
        title="chat",
        faults=[Span("slow", 5, 9)],
        replicas=[Steps("ready", [(0, 1.0), (8, None), (12, 3.0), (30, 3.0)])],
        tables=[Table("Faults", ("name", "result"), [("slow", "Recovered")])],
    )
    text = page.render(usual(), around)
    root = read(text)

    (steps,) = paths(text, "Replicas of the target")
    assert steps.count("M") == 2
    assert "slow (5 to 9 s)" in root.text
    assert root.rows("Faults") == [["name", "result"], ["slow", "Recovered"]]
    assert next(root.all("h1")).text == f"{usual().verdict} · chat"


def test_episodes_are_drawn_step_by_step_over_the_same_seconds() -> None:
    """A bar for each step that is known, as long as it took; the words say it without the picture."""
    steps = (Span("deciding", 4, 6), Span("starting", 6, 14))
    text = page.render(usual(), Surroundings(episodes=[Episode("1 → 2", steps), Episode("2 → 3", ())]))
    drawing = next(one for one in read(text).all("svg") if "From the load's rise" in str(one.attributes["aria-label"]))
    bars = [one for one in drawing.all("rect") if one.text]

    assert [one.text for one in bars if "step" in str(one.attributes["class"])] == [
        "1 → 2: deciding 2.0 s",
        "1 → 2: starting 8.0 s",
    ]
    short, long = (float(str(one.attributes["width"])) for one in bars if "step" in str(one.attributes["class"]))
    assert long == pytest.approx(4 * short, abs=0.2)
    assert "2 → 3: no step is known." in read(text).text
    assert "Scale-ups over time" not in page.render(usual())


def test_secrets_stay_at_home() -> None:
    """A key in a header or in the target's address is not on a page that is sent around."""
    plan = a_plan(
        requests=[{"name": "get", "http": {"path": "/", "headers": {"X-Api-Key": "s3cret", "Accept": "text/plain"}}}]
    )
    report = usual().model_copy(update={"plan": plan, "target": "http://me:s3cret@web:80/v1"})

    text = page.render(report)

    assert "s3cret" not in text
    assert "text/plain" in text
    assert "http://web:80/v1" in text


@pytest.mark.parametrize("word", Verdict)
def test_every_verdict_has_its_colour_and_its_word(word: Verdict) -> None:
    """The word is there for who sees no colour."""
    text = page.render(SMALL.model_copy(update={"verdict": word}))
    assert f'<h1><span class="{word}">{word}</span>' in text
    assert f".{word}" in text
