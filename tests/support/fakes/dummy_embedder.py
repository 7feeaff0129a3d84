"""The embedder with a model that needs no weights, so that it starts in a second: ``python -m`` this."""

from services.embedder.app import create_app
from services.embedder.backends.dummy_backend import DummyModel
from services.embedder.embedder_settings import EmbedderSettings
from services.runtime.process.logging import configure_logging
from services.runtime.process.worker import serve_worker


def main() -> None:
    settings = EmbedderSettings.read()
    configure_logging(settings, "embedder")
    app = create_app(settings, DummyModel())
    serve_worker(app, settings.embedder_health_port, settings.health_host)


if __name__ == "__main__":
    main()
