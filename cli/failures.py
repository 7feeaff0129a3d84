"""The root of what keeps a command from doing its work is StagecastError, of stagecast_client.

Below it stand ``Unreachable`` and ``Refused`` for the server, and here what lies with the command itself.
"""

from stagecast_client import StagecastError


class CommandFailed(StagecastError):
    """The command can't go on; ``str()`` is the sentence that says why."""
