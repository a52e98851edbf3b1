"""A browser, an API with a quick heartbeat, and screens that look at it."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, async_playwright

from tests import servers
from tests.browser.screen import LARGE, Screen, chromium, chromium_or_skip
from tests.fixtures import migrate
from tests.integration.http.serving import Api, serving

NUMBERS = itertools.count(1)
SETTINGS = {
    "VITALRELAY_KEY_PREFIX": f"{servers.SESSION}-ward",
    "VITALRELAY_STREAM_HEARTBEAT": "1",
}

OpenScreen = Callable[..., Awaitable[Screen]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium_or_skip()
    async with async_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="package")
def ward_database(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="package")
def start_api(ward_database: str, redis_url: str) -> Callable[[], AbstractContextManager[Api]]:
    """``with start_api() as api:`` one more process, with the same patients."""
    return lambda: serving(ward_database, redis_url, **SETTINGS)


@pytest.fixture(scope="package")
async def api(start_api: Callable[[], AbstractContextManager[Api]]) -> AsyncIterator[Api]:
    with start_api() as api:
        await api.is_ready()
        yield api


@pytest.fixture(scope="package")
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.client() as client:
        yield client


@pytest.fixture
def site() -> str:
    """Of this test alone."""
    return f"site-{next(NUMBERS)}"


@pytest.fixture
def subject() -> str:
    return f"patient-{next(NUMBERS)}"


@pytest.fixture
async def open_screen(browser: Browser, api: Api) -> AsyncIterator[OpenScreen]:
    """``await open_screen()`` a page that is live, in a profile of its own."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str = api.url, *, at: str = "/", **how: Any) -> Screen:
            context = await browser.new_context(**{"viewport": LARGE} | how)
            stack.push_async_callback(context.close)
            screen = Screen(await context.new_page())
            await screen.page.goto(url + at)
            await screen.is_live()
            return screen

        yield open_one
