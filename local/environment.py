"""The file ``.env``, which Docker Compose reads too."""

import os

from dotenv import dotenv_values


def read_environment() -> None:
    """Take what ``.env`` in the working directory says, where the environment says nothing."""
    for name, value in dotenv_values(".env").items():
        os.environ.setdefault(name, value or "")
