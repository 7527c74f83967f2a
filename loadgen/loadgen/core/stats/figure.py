"""One number of a scope, and how numbers are written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was observed."""

    unit: str
    value: float | None = None
    missing: str = "n/a"
    """Short, in place of the value."""


def digits(value: float) -> str:
    """Three significant digits, whole numbers whole."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def short(value: float) -> str:
    """Two significant digits, for how far off something is."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def telling(value: float, bound: float) -> str:
    """Three significant digits, whole numbers whole, and more where the value would read like the bound."""
    for places in range(3, 17):
        text = f"{value:.0f}" if abs(value) >= 10 ** (places - 1) else f"{value:.{places}g}"
        if float(text) != bound or value == bound:
            break
    return text
