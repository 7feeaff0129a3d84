"""What callers ask of many documents by name: the server takes it, and the command line offers it."""

from enum import StrEnum


class Sort(StrEnum):
    """By what documents are sorted; ``-`` turns it round."""

    CREATED = "createdAt"
    NEWEST = "-createdAt"
    UPDATED = "updatedAt"
    LAST_UPDATED = "-updatedAt"
    FILENAME = "filename"
    FILENAME_DOWN = "-filename"
    SIZE = "size"
    LARGEST = "-size"


class OperationKind(StrEnum):
    """What is done to each document."""

    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"
