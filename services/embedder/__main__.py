"""``python -m services.embedder``."""

import sys

from services.embedder.app import create_app
from services.embedder.checksum import ModelUnavailable
from services.embedder.embedder_settings import EmbedderSettings
from services.runtime.process.logging import configure_logging
from services.runtime.process.worker import serve_worker


def main() -> None:
    """Read the settings, and serve until a signal."""
    settings = EmbedderSettings.read()
    configure_logging(settings, "embedder")
    try:
        app = create_app(settings)
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error
    serve_worker(app, settings.embedder_health_port, settings.health_host)


if __name__ == "__main__":
    main()
