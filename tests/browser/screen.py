"""The ward screen as somebody sees it, and what its browser complains about."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Locator, Page, Playwright, Route, expect

from tests.integration.http.packets import a_packet, now_ms, signals

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LARGE = {"width": 1280, "height": 800}
UPRIGHT = {"width": 768, "height": 1024}
SOON_MS = 20_000

expect.set_options(timeout=SOON_MS)


def chromium_or_skip() -> str:
    """Skips the test where there is no Chromium, and fails it where there has to be one."""
    for name in (os.environ.get("VITALRELAY_CHROMIUM"), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    reason = "no Chromium on the path (VITALRELAY_CHROMIUM names another place)"
    if os.environ.get("VITALRELAY_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def chromium(playwright: Playwright) -> AsyncIterator[Browser]:
    """Headless, with an empty profile of its own."""
    browser = await playwright.chromium.launch(executable_path=chromium_or_skip(), args=FLAGS)
    try:
        yield browser
    finally:
        await browser.close()


@dataclass
class Screen:
    """One page in a profile of its own; ``complaints`` is what stands in its console."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self._heard(said.type, said.text))
        self.page.on("pageerror", lambda error: self._heard("error", str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def card(self, subject: str) -> Locator:
        return self.page.locator(f'li.patient[data-subject="{subject}"]')

    def vital(self, subject: str, name: str) -> Locator:
        return self.card(subject).locator("li.vital").filter(has_text=name)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def trouble(self) -> Locator:
        return self.page.locator("#trouble")

    @property
    def link(self) -> Locator:
        return self.page.locator("#link")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def is_live(self) -> None:
        await expect(self.link).to_have_attribute("data-live", "true")

    async def shows(self, subject: str, version: int = 1) -> None:
        """As soon as it does: looked at with every frame."""
        await self.page.wait_for_function(
            "([one, version]) => document.querySelector(`[data-subject='${one}']`)"
            "?.dataset.version >= version",
            arg=[subject, version],
            timeout=SOON_MS,
        )

    async def order(self) -> list[str]:
        """The ids of the patients that can be seen, from the top."""
        cards = self.page.locator("li.patient:not([hidden])")
        return await cards.evaluate_all("cards => cards.map(card => card.dataset.subject)")

    async def fill(self, **words: str) -> None:
        for name, text in words.items():
            await self.dialog.locator(f"[name={name}]").fill(text)

    async def alter(self, change: Callable[[dict[str, Any]], object]) -> None:
        """From now on every snapshot is changed on its way to the page."""

        async def answer(route: Route) -> None:
            response = await route.fetch()
            page = await response.json()
            for item in page["items"]:
                change(item)
            await route.fulfill(response=response, json=page)

        await self.page.route("**/v1/snapshots?*", answer)


async def store(client: httpx2.AsyncClient, subject: str, **values: Any) -> int:
    """One packet of now; the version of the snapshot it led to."""
    return await send(client, subjectId=subject, signals=signals(**values))


async def send(client: httpx2.AsyncClient, **packet: Any) -> int:
    answer = await client.post(
        "/v1/signal-packets", json=a_packet(**{"timestampMs": now_ms()} | packet)
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["projection"]["version"]
