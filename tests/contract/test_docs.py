"""What the docs' site makes of links that leave it, and that every page is one that somebody finds. `make docs` does the rest."""

import importlib.util
import logging
from types import ModuleType, SimpleNamespace

import pytest

from contract.objects import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def links() -> ModuleType:
    """mkdocs' hook."""
    spec = importlib.util.spec_from_file_location("links", ROOT / "deploy" / "docs" / "links.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(links: ModuleType, markdown: str, page: str = "faults.md") -> str:
    return str(links.on_page_markdown(markdown, page=SimpleNamespace(file=SimpleNamespace(src_uri=page))))


@pytest.mark.parametrize(
    ("written", "page", "read"),
    [
        (
            "[the gate](../deploy/gitops/gate/gate.sh)",
            "faults.md",
            "the gate (`deploy/gitops/gate/gate.sh` in the repository)",
        ),
        ("[`deploy/images`](../deploy/images)", "faults.md", "`deploy/images`"),
        ("[alerts](../alerts.md#one)", "reference/metrics.md", "[alerts](../alerts.md#one)"),
        ("[verdicts](verdicts.md)", "faults.md", "[verdicts](verdicts.md)"),
    ],
    ids=["out of the docs", "called by its path", "to another folder of the docs", "within the docs"],
)
def test_a_link(links: ModuleType, caplog: pytest.LogCaptureFixture, written: str, page: str, read: str) -> None:
    assert shown(links, written, page) == read
    assert caplog.records == []


def test_a_file_that_is_not_there_is_a_warning_which_fails_a_strict_build(
    links: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    shown(links, "[it](../deploy/nothing.yaml)")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "faults.md links to deploy/nothing.yaml, which is not in the repository")
    ]


def test_the_readme_leads_to_pages_that_are_there() -> None:
    """The site does not see it."""
    import re

    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text())
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []
