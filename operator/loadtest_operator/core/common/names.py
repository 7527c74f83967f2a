"""Names of everything a run owns, all of them functions of (LoadTest, run number).

Deterministic names make every create idempotent: an operator that was killed in between finds what it made.
"""

import hashlib
from dataclasses import dataclass

GROUP = "loadtest.dev"
VERSION = "v1alpha1"
NAME_LABEL = f"{GROUP}/name"
RUN_LABEL = f"{GROUP}/run"
COMPONENT_LABEL = f"{GROUP}/component"
MANAGED_BY = {"app.kubernetes.io/managed-by": "loadtest-operator"}
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
LONGEST = 63
# The Job controller appends "-<index>-<five letters>" to a pod's name and wants the host name to fit.
LONGEST_JOB = 52


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text itself, or its beginning and a hash of all of it."""
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: longest - 9].rstrip('-.')}-{digest}"


@dataclass(frozen=True, slots=True)
class Names:
    """What run `run` of LoadTest `loadtest` owns."""

    loadtest: str
    run: int

    @property
    def _base(self) -> str:
        return f"{self.loadtest}-{self.run}"

    @property
    def job(self) -> str:
        return shorten(f"{self._base}-workers", LONGEST_JOB)

    @property
    def secret(self) -> str:
        return shorten(f"{self._base}-token")

    @property
    def plan(self) -> str:
        return shorten(f"{self._base}-plan")

    @property
    def network_policy(self) -> str:
        return shorten(f"{self._base}-workers")

    @property
    def egress_policy(self) -> str:
        return shorten(f"{self._base}-egress")

    def part(self, component: str) -> str:
        """Of one of its other parts, short enough to be a host name."""
        return shorten(f"{self._base}-{component}", LONGEST_JOB)

    @property
    def timeline(self) -> str:
        return shorten(f"{self._base}-timeline")

    @property
    def report(self) -> str:
        return shorten(f"{self._base}-report")

    def labels(self, component: str) -> dict[str, str]:
        """Of everything that belongs to the run. A label value has at most 63 characters, like a name here."""
        return {
            **MANAGED_BY,
            NAME_LABEL: shorten(self.loadtest),
            RUN_LABEL: str(self.run),
            COMPONENT_LABEL: component,
        }

    def selector(self, component: str) -> str:
        """Of the run's pods with this part."""
        return f"{NAME_LABEL}={shorten(self.loadtest)},{RUN_LABEL}={self.run},{COMPONENT_LABEL}={component}"
