"""`loadgen report --junit` as CI calls it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from component.loadgen.test_cli_html import loadgen, report
from loadgen.report import documents
from unit.loadgen.test_html import all_failed, usual

__all__ = ["report"]


def test_several_reports_become_one_file(report: str, tmp_path: Path) -> None:
    """Each a suite; the command says where, and its exit code is not the verdict's."""
    other, junit = tmp_path / "other.json", tmp_path / "junit.xml"
    other.write_text(documents.dump(all_failed()))

    done = loadgen("report", "--junit", str(junit), report, str(other))

    assert done.returncode == 0, done.stderr
    assert str(junit) in done.stderr
    suites = ElementTree.parse(junit).getroot()  # noqa: S314 - our own
    assert [suite.get("name") for suite in suites] == [report, str(other)]
    (first, second) = (suite.find("properties/property[@name='verdict']") for suite in suites)
    assert first is not None
    assert second is not None
    assert (first.get("value"), second.get("value")) == (usual().verdict, all_failed().verdict)


@pytest.mark.parametrize("file", ["nowhere/junit.xml"])
def test_what_cannot_be_written_is_said(file: str, report: str, tmp_path: Path) -> None:
    """One sentence, exit code 2, no traceback."""
    done = loadgen("report", "--junit", str(tmp_path / file), report)

    assert done.returncode == 2
    assert "name another file with --junit" in done.stderr
    assert "Traceback" not in done.stderr
