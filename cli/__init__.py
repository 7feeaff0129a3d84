"""The ``stagecast`` command."""
