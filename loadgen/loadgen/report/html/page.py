"""The page: the verdict and its reason on top, then what was asked, what was measured, how well, and of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.report.html import plans, sections
from loadgen.report.html.markup import Element, document, el
from loadgen.report.html.style import STYLE
from loadgen.report.html.surroundings import Surroundings

if TYPE_CHECKING:
    from loadgen.model.report import Report


def render(report: Report, around: Surroundings | None = None) -> str:
    """The whole page as text, to be written as UTF-8."""
    around = around or Surroundings()
    parts = [
        *(part(report, around) for part in sections.BEFORE_SURROUNDINGS),
        *(sections.surrounding(table) for table in around.tables),
        *(part(report, around) for part in sections.AFTER_SURROUNDINGS),
    ]
    shown = [part for part in parts if part is not None]
    name = around.title or plans.address(report.target)
    title = f"{report.verdict}: {name}"
    body = (_header(report, around, name), _contents(shown), el("main", *shown))
    return document(title, STYLE, *body)


def _header(report: Report, around: Surroundings, name: str) -> Element:
    verdict = el("h1", el("span", str(report.verdict), class_=str(report.verdict)), f" · {name}")
    warmup = sum(stage.duration_seconds for stage in report.plan.load.stages if stage.warmup)
    detail = (
        f"{plans.address(report.target)} · {report.start_time} · {report.plan.load.duration_seconds} s of load"
        f"{f', {warmup} s of them warmup' if warmup else ''} · measurement {report.validity.level}"
    )
    notes = (el("p", note, class_="Unknown") for note in around.notes)
    return el("header", verdict, el("p", report.message, class_="why"), el("p", detail, class_="soft"), *notes)


def _contents(shown: list[Element]) -> Element:
    titles = [part[0] for part in shown]
    links = (el("a", title.text or "", href=f"#{title.get('id')}") for title in titles)
    return el("nav", *links, aria_label="Contents")
