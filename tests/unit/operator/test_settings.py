"""The administrator's settings."""

import pytest

from loadtest_operator.core.common import settings
from loadtest_operator.core.common.settings import SettingsError, WorkerAccess


def test_nothing_set_is_fine() -> None:
    assert settings.read({"HOME": "/"}).worker_access is WorkerAccess.POD_IP


def test_lists_are_separated_by_commas() -> None:
    assert settings.read({"LOADTEST_WATCH_NAMESPACES": "a, b,"}).watch_namespaces == ("a", "b")


def test_all_problems_come_at_once() -> None:
    wrong = {
        "LOADTEST_ALLOW_URLS": "maybe",
        "LOADTEST_METRICS_PORT": "many",
        "LOADTEST_WORKER_ACCESS": "Telepathy",
        "LOADTEST_WORKER_IMAG": "typo",
    }

    with pytest.raises(SettingsError) as caught:
        settings.read(wrong)

    assert len(caught.value.problems) == 4
