"""Taking a body off the wire: media type, size, encoding, and an end to waiting."""

import sys
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from starlette.requests import Request

from vitalrelay.adapters.inbound.http.problems import RequestRefused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_PACKET_BYTES = 1_048_576
STEP_BYTES = 65_536
FREE_EXPANSION_BYTES = 8 * 1024 * 1024  # up to here any ratio is harmless
MAX_EXPANSION = 250
LARGEST_WINDOW = {int(zstd.DecompressionParameter.window_log_max): 23}  # 8 MiB, as RFC 9659 has it


def require_media_type(request: Request, expected: str) -> None:
    """Raises RequestRefused unless the body says it is this, in UTF-8."""
    values = [value for name, value in request.scope["headers"] if name == b"content-type"]
    if values == [expected.encode()]:
        return
    if len(values) > 1:
        raise RequestRefused("malformed-request", "There must be one Content-Type header.")
    if not values:
        raise RequestRefused(
            "unsupported-media-type", f"The Content-Type header is missing; send {expected}."
        )
    media_type, *parameters = (
        part.strip().lower() for part in values[0].decode("latin-1").split(";")
    )
    charsets = ("charset=utf-8", 'charset="utf-8"', "charset=utf8")
    if media_type != expected or any(parameter not in charsets for parameter in parameters):
        raise RequestRefused("unsupported-media-type", f"Send {expected}, in UTF-8.")


def require_identity(request: Request) -> None:
    if encoding_of(request) != "identity":
        raise RequestRefused(
            "unsupported-media-type",
            "One packet is not sent compressed; a batch may be.",
            {"Accept-Encoding": "identity"},
        )


def encoding_of(request: Request) -> str:
    given = [value for name, value in request.scope["headers"] if name == b"content-encoding"]
    return b", ".join(given).decode("latin-1").strip().lower() or "identity"


async def whole_body(request: Request, most: int = MAX_PACKET_BYTES) -> bytes:
    """Raises RequestRefused when it is larger than ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise RequestRefused("too-large", f"The body may have at most {most} bytes.")
    return bytes(body)


class Decompressor(Protocol):
    """Of one member or frame: a body may have several."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def some(self, data: bytes) -> bytes:
        """At most STEP_BYTES; once more with nothing, until nothing comes."""


class _Gzip:
    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._decompressor.eof

    @property
    def unused_data(self) -> bytes:
        return self._decompressor.unused_data

    def some(self, data: bytes) -> bytes:
        pending = self._decompressor.unconsumed_tail + data
        return self._decompressor.decompress(pending, STEP_BYTES)


class _Zstd:
    def __init__(self) -> None:
        self._decompressor = zstd.ZstdDecompressor(options=LARGEST_WINDOW)

    @property
    def eof(self) -> bool:
        return self._decompressor.eof

    @property
    def unused_data(self) -> bytes:
        return self._decompressor.unused_data

    def some(self, data: bytes) -> bytes:
        return self._decompressor.decompress(data, STEP_BYTES)


DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {"gzip": _Gzip, "zstd": _Zstd}
BROKEN = (zlib.error, zstd.ZstdError, EOFError)


async def expanded_body(request: Request) -> AsyncIterator[bytes]:
    """
    The body in pieces of at most STEP_BYTES, decompressed as its Content-Encoding says.

    Raises RequestRefused for another encoding, for a body that breaks off or is damaged, and
    for one that expands out of proportion.
    """
    encoding = encoding_of(request)
    if encoding == "identity":
        async for chunk in request.stream():
            yield chunk
        return
    if encoding not in DECOMPRESSORS:
        raise RequestRefused(
            "unsupported-media-type", "Send gzip or zstd.", {"Accept-Encoding": "gzip, zstd"}
        )
    try:
        async for piece in _expanded(request.stream(), DECOMPRESSORS[encoding]):
            yield piece
    except BROKEN:
        raise RequestRefused("malformed-request", "The compressed body is damaged.") from None


async def _expanded(
    chunks: AsyncIterator[bytes], start: Callable[[], Decompressor]
) -> AsyncIterator[bytes]:
    member: Decompressor | None = None
    taken = given = 0
    async for chunk in chunks:
        taken += len(chunk)
        data = chunk
        while data or member is not None:
            member = member or start()
            piece = member.some(data)
            given += len(piece)
            if given > max(FREE_EXPANSION_BYTES, taken * MAX_EXPANSION):
                raise RequestRefused("too-large", "The body expands out of proportion.")
            if piece:
                yield piece
            data = b""
            if member.eof:
                data, member = member.unused_data, None
            elif not piece:
                break
    if member is not None:
        raise EOFError
