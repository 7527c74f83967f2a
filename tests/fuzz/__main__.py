"""`python -m fuzz` from `tests`: up to 100 000 cases of each target within its share of the minutes, with the seed of any finding.

With `--server` LoadTests go to a real API server too (dry run), and whatever its schema and rules admit must be parsed
or refused in a sentence here.
"""

import argparse
import json
import sys
from time import monotonic

from contract.conftest import prepared
from fuzz import generator_targets, operator_targets
from fuzz.cases import run

TARGETS = {**operator_targets.TARGETS, **generator_targets.TARGETS}


def main() -> int:
    """The tally of each target, to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS))
    parser.add_argument("--server", action="store_true", help="ask a real API server as well (dry run)")
    chosen = parser.parse_args()
    targets = {chosen.only: TARGETS[chosen.only]} if chosen.only else TARGETS
    for name, target in targets.items():
        begun = monotonic()
        tally = run(target, chosen.cases, chosen.seed, chosen.minutes * 60 / len(targets))
        seconds = monotonic() - begun
        print(f"{name}: {tally.total()} cases in {seconds:.0f} s: {dict(tally.most_common())}", flush=True)
    if chosen.server:
        with prepared() as server:
            found = operator_targets.at_the_server(server, chosen.cases // 20, chosen.seed)
            print("API server", json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
