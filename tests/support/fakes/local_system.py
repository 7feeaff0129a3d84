"""``python -m local`` with stand-ins for the services."""

import sys

from local.up import main

sys.exit(main("tests.support.fakes.services"))
