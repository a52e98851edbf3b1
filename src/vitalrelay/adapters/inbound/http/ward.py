"""The ward screen: one page and what belongs to it, read once, served as they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from vitalrelay.domain.errors import NotFound

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent / "static"
PAGE = "ward.html"
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The last two keep scripts from ever making markup of a text: ids come from whoever sends packets.
POLICY = (
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    tag: str
    media: str


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, f'"{hashlib.sha256(content).hexdigest()}"', MEDIA[path.suffix])


FILES = {
    path.relative_to(STATIC).as_posix(): _read(path)
    for path in STATIC.rglob("*")
    if path.suffix in MEDIA
}


@router.get("/", operation_id="getWardScreen")
@router.get("/ward", operation_id="getWardScreenByName")
async def get_ward_screen(request: Request) -> Response:
    """The patients, for a browser."""
    return _answer(request, FILES[PAGE])


@router.get("/static/{name:path}", operation_id="getStaticFile")
async def get_static_file(request: Request, name: str) -> Response:
    """What the page is made of; nothing but that is found here."""
    if name not in FILES:
        raise NotFound
    return _answer(request, FILES[name])


def _answer(request: Request, file: StaticFile) -> Response:
    headers = {
        "ETag": file.tag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    known = request.headers.get("if-none-match", "").split(",")
    if file.tag in (one.strip().removeprefix("W/") for one in known):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media)
