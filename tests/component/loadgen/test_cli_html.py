"""`loadgen report --html` as a user calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.report import documents
from unit.loadgen.pages import read
from unit.loadgen.test_html import usual


def loadgen(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadgen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def report(tmp_path: Path) -> str:
    """A report that `--out` wrote."""
    file = tmp_path / "report.json"
    file.write_text(documents.dump(usual()))
    return str(file)


def test_a_stored_report_becomes_a_page(report: str, tmp_path: Path) -> None:
    """Shown as before, and written; the page has the verdict of the file."""
    page = tmp_path / "report.html"

    done = loadgen("report", "--html", str(page), report)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(usual().verdict))
    assert next(read(page.read_text()).all("h1")).text == f"{usual().verdict} · http://web:80"


@pytest.mark.parametrize(
    ("page", "files", "said"),
    [
        ("nowhere/report.html", 1, "cannot be written"),
        ("report.html", 2, "call it once for each"),
    ],
    ids=["a folder that is not there", "two reports for one page"],
)
def test_what_cannot_be_written_is_said(page: str, files: int, said: str, report: str, tmp_path: Path) -> None:
    """One sentence, exit code 2, no traceback."""
    done = loadgen("report", "--html", str(tmp_path / page), *[report] * files)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_without_a_folder_is_said_before_the_load(tmp_path: Path) -> None:
    """Not after an hour of it."""
    done = loadgen("run", "plan.yaml", "--url", "http://127.0.0.1:1", "--html", str(tmp_path / "nowhere" / "page.html"))

    assert done.returncode == 2
    assert "nothing was sent" in done.stderr
