"""The local cluster is a program, not part of the distribution: its folder joins the path here."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "deploy" / "localcluster"))

from localcluster.layout import Layout  # noqa: E402


@pytest.fixture
def at(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "clone", tmp_path / "cache")
