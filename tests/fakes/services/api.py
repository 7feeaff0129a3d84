"""A stand-in for the api."""

from tests.fakes.services.server import serve

serve("api", "PORT")
