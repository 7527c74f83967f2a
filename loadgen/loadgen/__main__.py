"""`python -m loadgen`: the command line; in a pod `worker` or `proxy`, with settings from the environment.

A pod's processes load nothing of the command line: every import there is time that a user waits for the load to begin.
"""

import os
import sys
from importlib import import_module

IN_A_POD = {"worker": "loadgen.runtime.worker.main", "proxy": "loadgen.runtime.proxy.main"}


def main() -> int:
    """The exit code."""
    module = IN_A_POD.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if module is None:
        from loadgen import cli

        cli.main()
        return 0
    # numpy would start a thread for each core, for algebra that nothing here does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return int(import_module(module).main())


sys.exit(main())
