"""A stand-in for the api."""

from tests.support.fakes.services.server import serve

serve("api", "PORT")
