"""``python -m services.parser``."""

from services.parser.app import create_app
from services.parser.parser_settings import ParserSettings
from services.runtime.process.logging import configure_logging
from services.runtime.process.worker import serve_worker


def main() -> None:
    """Read the settings, and serve until a signal."""
    settings = ParserSettings.read()
    configure_logging(settings, "parser")
    serve_worker(create_app(settings), settings.parser_health_port, settings.health_host)


if __name__ == "__main__":
    main()
