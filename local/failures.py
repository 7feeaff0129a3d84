"""Why the system can't be started here, in a sentence for the person at the terminal."""


class StartFailed(Exception):  # noqa: N818 - named for what happened, as the failures of documents are
    """Starting is impossible as things are; ``str()`` says what to change."""
