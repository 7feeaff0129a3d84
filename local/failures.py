"""The reason that the system can't be started here, in a sentence for the person at the terminal."""


class StartFailed(Exception):
    """Starting is impossible as things are; ``str()`` says what to change."""
