"""``python -m services.api``."""

import asyncio
from types import FrameType

import uvicorn

from services.api.app import create_app
from services.api.parts import Parts
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings


class DrainingServer(uvicorn.Server):
    """Ends open streams on the signal itself; uvicorn waits for them before the lifespan's shutdown runs."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._parts.event_log.drain(), self._loop)
        super().handle_exit(sig, frame)


def main() -> None:
    """Read the settings, and serve until a signal."""
    settings = Settings.read()
    configure_logs(settings, "api")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
    )
    DrainingServer(config, app.state.parts).run()


if __name__ == "__main__":
    main()
