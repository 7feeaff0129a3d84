"""The response whose body is a stream of events."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.stream.asgi_subscriber import AsgiSubscriber
from services.api.stream.hub import Hub
from services.api.stream.stream_request import StreamRequest
from services.api.stream.transport_subscriber import take_connection


class EventStreamResponse(Response):
    """Sends the headers, then leaves the connection to the hub."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, request: StreamRequest) -> None:
        super().__init__()
        self._hub = hub
        self._request = request
        self.raw_headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache, no-transform"),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the response, and end here at once where the connection can be taken over."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if taken := take_connection(scope):
            self._hub.open(taken, self._request)
            return
        subscriber = AsgiSubscriber()
        self._hub.open(subscriber, self._request)
        await subscriber.serve(receive, send)
