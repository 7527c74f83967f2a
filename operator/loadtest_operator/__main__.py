"""`python -m loadtest_operator [uninstall]`."""

import sys

from loadtest_operator.main import main

sys.exit(main(tuple(sys.argv[1:])))
