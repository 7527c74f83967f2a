"""The real servers of tests/fakes/real.py, and the generator through its command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.fixtures import gradio, llama, nginx
from loadgen.model.report import Report

__all__ = ["gradio", "llama", "nginx"]

Play = Callable[..., Report]


def pytest_configure(config: pytest.Config) -> None:
    """Known here and nowhere else."""
    config.addinivalue_line("markers", "real: against a real server, installed on first use (-m 'not real' leaves out)")


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """`play(url, request, seconds=4, concurrency=1)`, or `rate=3` for open arrivals, and fields of `load`: run it, return its report."""

    def run(
        url: str, request: dict[str, Any], *, seconds: int = 4, concurrency: int = 1, rate: int = 0, **load: Any
    ) -> Report:
        level = {"arrivalRate": rate} if rate else {"concurrency": concurrency}
        stage = {"name": "load", "durationSeconds": seconds, **level}
        plan, out = tmp_path / "plan.yaml", tmp_path / "report.json"
        plan.write_text(json.dumps({"requests": [{"name": "load"} | request], "load": {"stages": [stage], **load}}))
        command = [sys.executable, "-m", "loadgen", "run", str(plan), "--url", url, "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds, check=False)
        assert out.exists(), done.stdout + done.stderr
        return Report.model_validate_json(out.read_bytes())

    return run
