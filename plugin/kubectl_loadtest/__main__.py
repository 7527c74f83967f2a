"""`python -m kubectl_loadtest`."""

import sys

from kubectl_loadtest.cli import main

sys.exit(main())
