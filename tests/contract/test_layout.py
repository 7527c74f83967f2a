"""Where files may not be."""

import pytest

from contract.objects import ROOT


@pytest.mark.parametrize("root", ["operator", "loadgen"])
def test_source_root_is_no_package(root: str) -> None:
    """operator/__init__.py would shadow the standard library's operator wherever the repository is on the path."""
    assert not (ROOT / root / "__init__.py").exists()
