"""``python -m services.embedder``."""

from services.embedder.app import create_app
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings
from services.runtime.worker import serve_worker


def main() -> None:
    """Read the settings, and serve until a signal."""
    settings = Settings.read()
    configure_logs(settings, "embedder")
    serve_worker(create_app(settings), settings.embedder_health_port, settings.health_host)


if __name__ == "__main__":
    main()
