"""`make dashboards`: the chart's dashboards from Python. `--check` writes nothing and names what is stale."""

import json
import sys
from pathlib import Path

from boards import BOARDS

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "loadtest-operator" / "files" / "dashboards"


def main() -> int:
    """1 where a file is stale or nobody's."""
    made = {FOLDER / f"{name}.json": json.dumps(make(), indent=1) + "\n" for name, make in BOARDS.items()}
    there = {path: path.read_text() for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv[1:]:
        stale = sorted(path.name for path in made.keys() | there.keys() if made.get(path) != there.get(path))
        print(*(f"{name} differs: make dashboards" for name in stale), sep="\n", end="")
        return bool(stale)
    for path in there.keys() - made.keys():
        path.unlink()
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
