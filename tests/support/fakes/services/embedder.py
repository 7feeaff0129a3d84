"""A stand-in for the embedder."""

from tests.support.fakes.services.server import serve

serve("embedder", "EMBEDDER_HEALTH_PORT")
