"""The keys under which the local cluster keeps what it built."""

from pathlib import Path

import pytest
from localcluster import cache, images

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text("a = 1")
    return tmp_path


def key(folder: Path) -> str:
    return cache.key("v1", folder / "source", root=folder)


def test_the_same_content_has_the_same_key_wherever_it_lies(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere")
    (other / "source").mkdir()
    (other / "source" / "a.py").write_text("a = 1")
    assert key(other) == key(folder)


def test_a_changed_file_changes_the_key(folder: Path) -> None:
    before = key(folder)
    (folder / "source" / "a.py").write_text("a = 2")
    assert key(folder) != before


def test_a_renamed_file_changes_the_key(folder: Path) -> None:
    before = key(folder)
    (folder / "source" / "a.py").rename(folder / "source" / "b.py")
    assert key(folder) != before


def test_compiled_files_do_not_count(folder: Path) -> None:
    before = key(folder)
    (folder / "source" / "__pycache__").mkdir()
    (folder / "source" / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert key(folder) == before


def test_text_cannot_move_from_one_part_to_the_next(tmp_path: Path) -> None:
    assert cache.key("ab", "c", root=tmp_path) != cache.key("a", "bc", root=tmp_path)


def test_what_a_dockerfile_copies_from_its_context() -> None:
    text = "FROM a AS b\nCOPY one two /there/\nCOPY --from=b /x /y\nADD --chown=1:1 three \\\n  /z\nRUN cp four five\n"
    assert cache.copied(text) == ["one", "two", "three"]


@pytest.mark.parametrize("dockerfile", images.DOCKERFILES.values())
def test_every_dockerfile_copies_only_what_exists(dockerfile: str) -> None:
    copied = cache.copied((ROOT / dockerfile).read_text())
    assert copied
    assert [part for part in copied if not (ROOT / part).exists()] == []


@pytest.mark.parametrize("dockerfile", images.DOCKERFILES.values())
def test_every_image_runs_as_a_numeric_user_on_a_chosen_base(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text()
    assert "ARG PYTHON_IMAGE=python:3.13-slim" in text
    assert "\nUSER 65532:65532\n" in text
