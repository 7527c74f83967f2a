"""The files that are generated from the models: `python -m loadtest_operator.api.schema` writes the CRDs, the chart's copy and
the reference page; `--check` only tells whether they are as they should be.
"""

import argparse
import sys
from pathlib import Path

from loadtest_operator.api import crd, reference


def generated() -> dict[str, str]:
    """Every generated file by its path in the repository."""
    crds = {f"{crd.plural(definition)}.yaml": crd.to_yaml(definition) for definition in crd.definitions()}
    return {
        **{f"crds/{name}": text for name, text in crds.items()},
        **{f"charts/loadtest-operator/files/crds/{name}": text for name, text in crds.items()},
        "docs/reference/api.md": reference.page(crd.definitions()),
    }


def main(arguments: list[str] | None = None) -> int:
    """Writes the generated files, or tells which of them differ."""
    parser = argparse.ArgumentParser(prog="python -m loadtest_operator.api.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="root of the repository")
    options = parser.parse_args(arguments)
    wanted = generated()
    stale = [path for path, text in wanted.items() if _read(options.root / path) != text]
    for path in stale:
        print(f"{path} differs: run python -m loadtest_operator.api.schema" if options.check else f"wrote {path}")
        if not options.check:
            (options.root / path).parent.mkdir(parents=True, exist_ok=True)
            (options.root / path).write_text(wanted[path])
    return 1 if stale and options.check else 0


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
