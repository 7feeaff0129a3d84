"""``python -m local``: the whole system in one terminal."""

import sys

from local.up import main

sys.exit(main())
