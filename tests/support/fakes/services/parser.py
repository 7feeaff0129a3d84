"""A stand-in for the parser."""

from tests.support.fakes.services.server import serve

serve("parser", "PARSER_HEALTH_PORT")
