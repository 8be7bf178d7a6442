"""``python -m infounlearn`` is the command line."""

import sys

from infounlearn.cli import main

sys.exit(main())
