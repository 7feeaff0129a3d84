from typing import Any, cast

import numpy as np
import psycopg
from pgvector import Vector
from pgvector.psycopg.vector import register_vector_info
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.pq import Format
from psycopg.types import TypeInfo

from services.runtime.database.binary_array import BinaryArray, register_binary_array


class Context:
    """What dumpers are registered with, without a connection."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.connection: psycopg.BaseConnection[Any] | None = None


def test_vectors_go_to_the_database_in_binary() -> None:
    context = Context()
    register_vector_info(cast("psycopg.BaseConnection[Any]", context), TypeInfo("vector", 16_001, 16_002))
    register_binary_array(context)
    transformer = Transformer(context)
    dumper = transformer.get_dumper(BinaryArray([np.ones(3, np.float32)]), PyFormat.AUTO)
    vectors = np.array([[1, 0.5, -2], [0, 0, 1]], np.float32)
    sent = bytes(dumper.dump(BinaryArray(vectors)) or b"")
    assert (dumper.format, dumper.oid) == (Format.BINARY, 16_002)
    assert all(Vector(vector).to_binary() in sent for vector in vectors)
