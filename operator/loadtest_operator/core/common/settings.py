"""The administrator's settings, read once from the environment (`LOADTEST_…`).

Pure: a mapping comes in, one frozen value goes out, or every problem at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "LOADTEST_"
TRUE, FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


class WorkerAccess(StrEnum):
    """How the operator reaches the workers' control API."""

    POD_IP = "PodIP"
    API_SERVER_PROXY = "ApiServerProxy"


class WorkerEgress(StrEnum):
    """What workers may reach where NetworkPolicies are enforced."""

    TARGET = "Target"
    ANYWHERE = "Anywhere"


class SettingsError(Exception):
    """Some settings are wrong; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator decides; a LoadTest cannot."""

    worker_image: str = "loadtest-worker:latest"
    worker_image_pull_policy: str = "IfNotPresent"
    watch_namespaces: tuple[str, ...] = ()
    allowed_target_namespaces: tuple[str, ...] = ()
    allow_urls: bool = False
    allowed_priority_classes: tuple[str, ...] = ()
    pod_kill_enabled: bool = False
    pod_kill_most_percent: int = 50
    worker_access: WorkerAccess = WorkerAccess.POD_IP
    worker_egress: WorkerEgress = WorkerEgress.TARGET
    worker_start_seconds: int = 300
    metrics_port: int = 9090
    probe_port: int = 8080
    lease_namespace: str = ""
    lease_name: str = "loadtest-operator"
    identity: str = ""
    operator_namespace: str = ""


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from the environment; unknown LOADTEST_ variables are problems too."""
    problems: list[str] = []
    values = {
        field: _read_one(PREFIX + field.upper(), environment, kind, problems)
        for field, kind in Settings.__annotations__.items()
        if PREFIX + field.upper() in environment
    }
    known = {PREFIX + field.upper() for field in Settings.__annotations__}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    problems += [f"{name} is no setting; known are {', '.join(sorted(known))}" for name in unknown]
    if problems:
        raise SettingsError(problems)
    return Settings(**values)  # type: ignore[arg-type]


def _read_one(name: str, environment: Mapping[str, str], kind: object, problems: list[str]) -> object:
    text = environment[name].strip()
    try:
        return _convert(text, kind)
    except ValueError as error:
        problems.append(f"{name}={text!r}: {error}")
        return None


def _convert(text: str, kind: object) -> object:
    if kind is bool:
        if text.lower() not in TRUE | FALSE:
            raise ValueError("write true or false")
        return text.lower() in TRUE
    if kind is int:
        if not text.isdigit():
            raise ValueError("write a whole number")
        return int(text)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if text not in tuple(kind):
            raise ValueError(f"write one of {', '.join(kind)}")
        return kind(text)
    if kind == tuple[str, ...]:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    return text
