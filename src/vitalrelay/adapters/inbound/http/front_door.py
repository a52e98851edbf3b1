"""
The way in for what is called a thousand times a second: past the framework's layers.

They take longer than the service itself over a small request. The routes are the application's
own: it describes them, and answers on them what is not theirs. What every request passes through,
and what every error becomes, is the same on both ways.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request, Exception], Awaitable[Response]]
Handlers = Mapping[type[Exception], Handler]
Envelope = Callable[[ASGIApp], ASGIApp]

JSON = [(b"content-type", b"application/json")]


class FrontDoor:
    """Each endpoint takes the request as it came, and nothing else."""

    def __init__(self, routes: Sequence[APIRoute], envelope: Envelope, handlers: Handlers) -> None:
        self._routes = routes
        self._handlers = handlers
        self._kinds = tuple(handlers)
        self.enter = envelope(self._answer)

    def is_for(self, scope: Scope) -> bool:
        """Whether it goes in here; then the scope knows its route."""
        if scope["type"] != "http":
            return False
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return True
        return False

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await scope["route"].endpoint(request)
        except self._kinds as error:
            response = await self._handler_of(error)(request, error)
        await response(scope, receive, send)

    def _handler_of(self, error: Exception) -> Handler:
        """The nearest one, as the framework has it."""
        return next(self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers)


class Prepared(Response):
    """Its headers go out as they are; only the length of a body is added."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body))] if body else headers
