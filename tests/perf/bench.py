"""The generator beside its peers: one page of figures.

    python tests/perf/bench.py [--quick] [--only requests,lag] [--out docs/benchmarks] [--against COMMIT] [--install-peers]

Whole: ten minutes, up to a quarter of an hour on a busy machine; --quick: under three. Nothing here passes or fails,
and no test runs it. The client is pinned to one core, the server to another; on a machine with two cores anything else
that runs is in the figures, so the page says how much that was.
"""

import argparse
import datetime
import json
import shutil
import subprocess
import sys
import venv
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from perf import machine  # noqa: E402  (the path must be set first)
from perf.benches import BENCHES, Scale, Table  # noqa: E402
from perf.contenders import CACHE, PRIVILEGED, earlier  # noqa: E402

BUDGETS = """\
| Budget (`metrics.md`) | |
|---|---|
| requests/s | ≥ 0.7 × wrk with one thread |
| server-sent events | ≥ 200 000/s per core |
| schedule lag P99 | ≤ 0.2 ms at 5 000 arrivals/s |
| error of time stamps P99 | ≤ 1 ms at 20 000 events/s |
"""
UNDISTURBED = """\
; lag, time stamps and slow streams at real-time priority on cores that never halt, all parties, so that neither neighbours
count nor a host that takes its time to wake a core"""


def main() -> None:
    options = _options()
    if options.install_peers:
        install_peers()
    busy, begin = machine.Busy(), monotonic()
    described = machine.describe()
    names = options.only.split(",") if options.only else list(BENCHES)
    scale = Scale.of(quick=options.quick, patience=options.patience)
    with ExitStack() as stack:
        if options.against:
            scale.trees[options.against] = stack.enter_context(earlier(options.against))
        tables = [table for name in names for table in run(name, scale)]
    described["Others' share of the CPUs meanwhile"] = f"{busy.percent():.0f} %"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    asked = f"make bench AGAINST={options.against}" if options.against else "make bench"
    text = page(f"# Benchmark of {today}\n\n`{asked}`", described, tables, monotonic() - begin, quick=options.quick)
    print(text)
    if options.out:
        save(options.out, today, text, described, tables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round, fewer streams; not for publication")
    parser.add_argument("--only", default="", help=f"some of {','.join(BENCHES)}")
    parser.add_argument(
        "--out", type=Path, help="folder for DATE.md and DATE.json (default: docs/benchmarks, whole runs)"
    )
    parser.add_argument(
        "--patience", type=float, default=120, help="seconds to wait for quiet moments altogether (120)"
    )
    parser.add_argument("--against", default="", help="a commit whose generator takes part, in the same rounds")
    parser.add_argument("--install-peers", action="store_true", help="Locust and vegeta, into the user's cache")
    options = parser.parse_args()
    if options.out is None and not options.quick and not options.only:
        options.out = ROOT / "docs/benchmarks"
    return options


def run(name: str, scale: Scale) -> list[Table]:
    """One bench, with a line for who waits."""
    begin = monotonic()
    print(f"[{name}] …", file=sys.stderr, flush=True)
    tables = BENCHES[name](scale)
    print(f"[{name}] {monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return tables


def page(title: str, described: dict[str, str], tables: list[Table], seconds: float, *, quick: bool) -> str:
    """Markdown."""
    how = "one short round" if quick else "medians of rounds; in a round all take turns on the same server"
    if PRIVILEGED:
        how += UNDISTURBED
    lines = [f"{title}, {seconds / 60:.0f} minutes, {how}. One core each.", ""]
    lines += [
        "| Machine | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in described.items()),
        "",
        BUDGETS,
    ]
    for table in tables:
        lines += [f"## {table.title}", "", _row(table.columns), "|" + "---|" * len(table.columns)]
        lines += [*map(_row, table.rows), "", *(f"{note}.\n" for note in table.notes)]
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def save(folder: Path, today: str, text: str, described: dict[str, str], tables: list[Table]) -> None:
    """The page and everything that it was made from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{today}.md").write_text(text)
    data = {"machine": described, "tables": {table.title: table.data for table in tables}}
    (folder / f"{today}.json").write_text(json.dumps(data, indent=1) + "\n")
    print(f"written to {folder}", file=sys.stderr)


def install_peers() -> None:
    """Outside the project: a virtual environment for Locust, a folder for vegeta's binary."""
    if not (CACHE / "peers/bin/locust").exists():
        venv.create(CACHE / "peers", with_pip=True, clear=True)
        subprocess.run([CACHE / "peers/bin/python", "-m", "pip", "install", "--quiet", "locust==2.47.0"], check=True)
    go = shutil.which("go")
    if go and not (CACHE / "bin/vegeta").exists():
        environment = {"GOBIN": str(CACHE / "bin"), "PATH": str(Path(go).parent), "HOME": str(Path.home())}
        subprocess.run([go, "install", "github.com/tsenart/vegeta/v12@v12.13.0"], check=True, env=environment)


if __name__ == "__main__":
    main()
