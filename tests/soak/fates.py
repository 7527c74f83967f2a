"""What is done to each run of the soak, drawn from a seed: the same seed and number give the same blows.

A fate is drawn before the run begins; what really hit it (a worker may have ended before its blow) is noted by `soak`.
"""

import random
from dataclasses import dataclass

QUIET, OPERATOR, WORKER, API_SERVER = "quiet", "operator killed", "worker killed", "API server killed"
ROUND = (OPERATOR, WORKER, OPERATOR, QUIET, OPERATOR, WORKER, OPERATOR, OPERATOR, QUIET)
"""Of ten runs, beside one whose API server is killed; each round in another order."""
LIFE_SECONDS = 13
"""From apply to verdict, where nothing is done to a run: blows may fall at any moment of it."""
MID_LOAD_SECONDS = 2
"""A worker is killed within so many seconds of the load's beginning."""
DOWNTIME_SECONDS = 3
"""An API server that was killed stays away for up to this long."""


@dataclass(frozen=True, slots=True)
class Fate:
    """Times in seconds."""

    number: int
    kind: str
    strict: bool
    """It has a threshold that nothing can meet."""
    kept: bool
    """Its LoadTest stays until the end; the operator itself must tidy up."""
    operator: tuple[float, ...] = ()
    """When the operator is killed, after apply."""
    api_server: float | None = None
    """When the API server is killed, after apply."""
    downtime: float = 0.0
    worker: float | None = None
    """When a worker is killed, after the load's beginning."""
    at_once: bool = False
    """Without a word of warning."""

    def text(self) -> str:
        """For people."""
        words = [f"operator killed at {_times(self.operator)} s"] if self.operator else []
        if self.api_server is not None:
            words.append(f"API server killed at {self.api_server:.1f} s for {self.downtime:.1f} s")
        if self.worker is not None:
            warning = "without" if self.at_once else "with"
            words.append(f"a worker killed {self.worker:.1f} s into the load {warning} warning")
        words += ["impossible threshold"] if self.strict else []
        words += ["kept"] if self.kept else []
        return ", ".join(words) or "quiet"


def fate(seed: int, number: int, *, local: bool) -> Fate:
    """Of run `number` (1, 2, …). Only a local cluster's API server may be killed."""
    kind = _kind(seed, *divmod(number - 1, len(ROUND) + 1), local=local)
    chance = random.Random(f"{seed} run {number}")
    strict, kept = chance.random() < 0.3, chance.random() < 0.5
    often = chance.randint(1, 3) if kind == OPERATOR else int(kind in (WORKER, API_SERVER) and chance.random() < 0.3)
    return Fate(
        number=number,
        kind=kind,
        strict=strict and kind != WORKER,
        kept=kept,
        operator=tuple(sorted(chance.uniform(0, LIFE_SECONDS) for _ in range(often))),
        api_server=chance.uniform(0, LIFE_SECONDS - DOWNTIME_SECONDS) if kind == API_SERVER else None,
        downtime=chance.uniform(0, DOWNTIME_SECONDS),
        worker=chance.uniform(0, MID_LOAD_SECONDS) if kind == WORKER else None,
        at_once=chance.random() < 0.5,
    )


def _kind(seed: int, begun: int, place: int, *, local: bool) -> str:
    """The API server dies at the same place of each round: the longer ago the last time, the sooner Kubernetes' own clients,
    which back off, look at it again."""
    kinds: list[str] = random.Random(f"{seed} round {begun}").sample(ROUND, len(ROUND))
    kinds.insert(random.Random(seed).randrange(len(ROUND) + 1), API_SERVER if local else QUIET)
    return kinds[place]


def _times(moments: tuple[float, ...]) -> str:
    return ", ".join(f"{moment:.1f}" for moment in moments)
