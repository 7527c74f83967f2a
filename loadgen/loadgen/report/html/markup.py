"""Elements of a page. All text goes in as text: there is no way to hand in markup, so nothing can be forgotten to be
escaped, in HTML as in SVG.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable

Element = ElementTree.Element
Node = Element | str | None
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of characters, and those that turn the direction of the text around them."""


def clean(text: str) -> str:
    """Fit for a page: what cannot be shown, or makes its surroundings read differently, becomes �."""
    return _UNSHOWABLE.sub("\ufffd", text)


def el(tag: str, *children: Node, **attributes: object) -> Element:
    """An element. Attributes: `class_` is class, `aria_label` is aria-label; one that is None is left out."""
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    given = {names[name]: clean(str(value)) for name, value in attributes.items() if value is not None}
    element = ElementTree.Element(tag, given)
    for child in children:
        _append(element, child)
    return element


def _append(element: Element, child: Node) -> None:
    if child is None:
        return
    if not isinstance(child, str):
        element.append(child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + clean(child)
    else:
        element.text = (element.text or "") + clean(child)


def table(caption: str, headers: Iterable[str], rows: Iterable[Iterable[Node]], *, text_columns: int = 1) -> Element:
    """A table that scrolls in itself on a narrow screen; the first column is a row's header, `text_columns` are not
    numbers.
    """
    names = (
        el("th", name, scope="col", class_=None if place < text_columns else "number")
        for place, name in enumerate(headers)
    )
    body = el("tbody", *(_row(row, text_columns) for row in rows))
    whole = el("table", el("caption", caption), el("thead", el("tr", *names)), body)
    return el("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _row(cells: Iterable[Node], text_columns: int) -> Element:
    first, *others = cells
    rest = (
        el("td", cell, class_=_kind(cell) if place < text_columns else "number")
        for place, cell in enumerate(others, start=1)
    )
    return el("tr", el("th", first, scope="row"), *rest)


def _kind(cell: Node) -> str | None:
    """Sentences get room, figures with their unit stay on one line."""
    if not isinstance(cell, str):
        return None
    return "words" if len(cell) > 40 else "short" if len(cell) <= 20 else None


def document(title: str, style: str, *body: Node) -> str:
    """The whole page. The policy makes a browser refuse whatever it would have to fetch or execute."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        _style(style),
    )
    whole = el("html", head, el("body", *body), lang="en")
    return "<!DOCTYPE html>\n" + ElementTree.tostring(whole, encoding="unicode", method="html") + "\n"


def _style(text: str) -> Element:
    if "<" in text:
        raise ValueError("a style sheet is written unescaped: it may not hold a tag")
    return el("style", text)
