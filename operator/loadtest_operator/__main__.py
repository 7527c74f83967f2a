"""`python -m loadtest_operator`."""

import sys

from loadtest_operator.main import main

sys.exit(main())
