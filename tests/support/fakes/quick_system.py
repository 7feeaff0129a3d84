"""``python -m local`` with an embedder that needs no weights."""

import sys

from local.up import main

if __name__ == "__main__":
    sys.exit(main("tests.support.fakes.quick_services"))
