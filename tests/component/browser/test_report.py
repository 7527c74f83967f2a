"""The report in a real browser: on a phone and on a desk, light and dark. It asks for nothing and complains about nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from component.browser.chromium import tab
from loadgen.model.report import Report
from loadgen.report.html import page
from loadgen.report.html.surroundings import Episode, Span, Steps, Surroundings, Table
from unit.loadgen.test_html import an_hour, empty, two_kinds, usual

PHONE, DESK = 360, 1440
MOST_BYTES = 2_000_000
ALWAYS = ["Thresholds", "Over time", "Requests", "Latency", "Failures", "Measurement", "Plan and environment"]
LONG = "a-name-that-is-as-long-as-kubernetes-lets-it-be-and-has-no-place-to-break-0123456789"
AROUND = Surroundings(
    title=f"demo/{LONG} run 7",
    notes=["The checksum could not be compared."],
    faults=[Span("slow", 5, 9)],
    replicas=[Steps("wanted", [(0, 1.0), (6, 3.0)]), Steps("ready", [(0, 1.0), (12, 3.0), (20, 3.0)])],
    episodes=[Episode("1 → 3", (Span("deciding", 4, 6), Span("starting", 6, 11), Span("getting traffic", 11, 12)))],
    tables=[Table("Faults", ("fault", "result", "in words"), [(LONG, "Recovered", f"{LONG} " * 8)])],
)
OVERFLOW = """[...document.querySelectorAll('main *, header *')].filter(one => {
  let box = one.getBoundingClientRect(), inside = one.closest('.scroll, figure');
  return box.right > document.documentElement.clientWidth + 1 && (!inside || one === inside);
}).map(one => one.tagName + ' ' + one.textContent.slice(0, 60))"""
HIDDEN = """[...document.querySelectorAll('section')].filter(one => one.getBoundingClientRect().height < 20)
  .map(one => one.textContent.slice(0, 40))"""
UNREACHABLE = """[...document.querySelectorAll('nav a')].filter(one => !document.getElementById(
  decodeURIComponent(one.hash.slice(1)))).map(one => one.hash)"""


@pytest.mark.parametrize(
    ("report", "around", "more"),
    [(two_kinds, AROUND, ["Scale-ups over time", "Faults"]), (an_hour, None, []), (empty, None, [])],
    ids=["of everything", "of an hour", "of nothing"],
)
async def test_a_page(
    report: Callable[[], Report], around: Surroundings | None, more: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page.render(report(), around))
    assert file.stat().st_size < MOST_BYTES
    async with tab(tmp_path / "profile") as shown:
        for width in (PHONE, DESK):
            await shown.open(file.as_uri(), width=width)

            assert (shown.errors, shown.requests) == ([], [file.as_uri()])
            assert await shown.value("document.documentElement.scrollWidth") <= width
            assert await shown.value(OVERFLOW) == []
            titles = await shown.value("[...document.querySelectorAll('h2')].map(one => one.textContent)")
            assert sorted(titles) == sorted([*ALWAYS, *more])
            assert await shown.value(HIDDEN) == []
            assert await shown.value(UNREACHABLE) == []


async def test_light_and_dark_as_the_reader_has_it(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page.render(usual()))
    async with tab(tmp_path / "profile") as shown:
        colours = []
        for dark in (False, True):
            await shown.open(file.as_uri(), width=DESK, dark=dark)
            colours.append(await shown.value("getComputedStyle(document.body).backgroundColor"))

    assert colours == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


async def test_a_script_that_got_in_would_not_run(tmp_path: Path) -> None:
    """The page's own policy: were text ever markup, the browser would refuse both the script and the request."""
    file = tmp_path / "report.html"
    evil = '<script>document.title = "owned"</script><img src="http://127.0.0.1:9/x.png">'
    file.write_text(page.render(usual()).replace("</main>", f"{evil}</main>"))
    async with tab(tmp_path / "profile") as shown:
        await shown.open(file.as_uri(), width=DESK)

        assert await shown.value("document.title") != "owned"
        assert shown.errors, "the browser said nothing of what it refused"
