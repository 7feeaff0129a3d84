"""The embedder with a model that needs no weights, so that it starts in a second: ``python -m`` this."""

from services.embedder.app import create_app
from services.embedder.model import DummyModel
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings
from services.runtime.worker import serve_worker


def main() -> None:
    settings = Settings.read()
    configure_logs(settings, "embedder")
    app = create_app(settings, DummyModel())
    serve_worker(app, settings.embedder_health_port, settings.health_host)


if __name__ == "__main__":
    main()
