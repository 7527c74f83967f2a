"""`python -m oracle [--draws 20000]`: prints the tally; fails on one false green or red, or where too much is Unknown.

`python -m oracle --runs 2000`: the same of whole runs, through every decision of the operator.
`python -m oracle --causes 5000`: so many expectations that one planted reason keeps from being met; fails where the
reason is named too seldom, or one is named too often where nothing that was seen explains it.
"""

import argparse
import sys
from collections.abc import Callable
from time import monotonic

from hypothesis import HealthCheck, Phase, given, settings

from oracle import runs
from oracle.comparison import Tally, compare
from oracle.planted import tally as causes
from oracle.records import Played, played


def tallied(draws: int) -> Tally:
    """So many draws."""
    tally = Tally()

    @settings(
        max_examples=draws,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(played())
    def draw(one: Played) -> None:
        compare(one, tally)

    draw()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--causes", type=int, default=0, metavar="DRAWS")
    parser.add_argument("--runs", type=int, default=0, metavar="DRAWS")
    options = parser.parse_args()
    if options.causes:
        return explained(options.causes)
    if options.runs:
        return told(f"{options.runs} runs", lambda: runs.tallied(options.runs))
    return told(f"{options.draws} draws", lambda: tallied(options.draws))


def explained(draws: int) -> int:
    begin = monotonic()
    tally = causes.tallied(draws)
    print(f"{draws} planted causes in {monotonic() - begin:.0f} s: {tally.line()}")
    for sentence in tally.wrong[:40]:
        print(f"  {sentence}")
    return 0 if tally.holds else 1


def told(what: str, play: Callable[[], Tally]) -> int:
    begin = monotonic()
    tally = play()
    print(f"{what} in {monotonic() - begin:.0f} s: {tally.line()}")
    for sentence in [*tally.greens, *tally.reds][:40]:
        print(f"  {sentence}")
    return 0 if tally.holds else 1


if __name__ == "__main__":
    sys.exit(main())
