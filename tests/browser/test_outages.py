"""What the screen says when it cannot be believed, and that it recovers by itself."""

import asyncio
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SETTINGS
from tests.browser.screen import store
from tests.integration.http.packets import WELL
from tests.integration.http.serving import HOST, ROOT, Wire


@pytest.fixture
def worker(ward_database, redis_url):
    """What Redis missed, it gets from here."""
    servers = {"DATABASE_URL": ward_database, "REDIS_URL": redis_url}
    with subprocess.Popen(
        [sys.executable, "-m", "vitalrelay", "worker"],
        cwd=ROOT,
        env=os.environ | servers | SETTINGS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield process
        process.terminate()


@contextmanager
def wired(api):
    """The API behind one more wire: what a page has between itself and the server."""
    with Wire.to(api.url) as wire:
        yield wire, f"http://{HOST}:{wire.port}"


async def test_without_redis_the_page_reads_the_database_says_so_and_goes_on(
    api, client, open_screen, subject, worker
):
    await store(client, subject, **WELL)
    screen = await open_screen()
    await screen.shows(subject)

    with api.redis.is_down():
        await expect(screen.trouble).to_contain_text("Redis is away")
        version = await store(client, subject, heart_rate=88)
        await screen.shows(subject, version)

        await expect(screen.trouble).to_contain_text("read from the database")
        await expect(screen.vital(subject, "Heart rate")).to_contain_text("88 /min")
        await expect(screen.card(subject).locator(".source")).to_have_text("from the database")
        await expect(screen.link).to_contain_text("as of")
        await expect(screen.link).to_have_attribute("data-live", "false")

    await screen.is_live()
    await expect(screen.trouble).to_be_empty()
    await expect(screen.card(subject).locator(".source")).to_be_hidden()
    await expect(screen.vital(subject, "Heart rate")).to_contain_text("88 /min")


async def test_an_api_that_is_killed_and_started_again_is_found_again(
    start_api, open_screen, subject
):
    with start_api() as first:
        await first.is_ready()
        with wired(first) as (wire, url):
            screen = await open_screen(url)
            async with first.client() as client:
                await store(client, subject, heart_rate=70)
            await screen.shows(subject)

            first.process.kill()
            await expect(screen.trouble).to_contain_text("may be out of date")
            await expect(screen.page).to_have_title(re.compile("NOT LIVE"))
            with start_api() as second:
                await second.is_ready()
                wire.upstream = (HOST, second.port)
                await screen.is_live()
                async with second.client() as client:
                    version = await store(client, subject, heart_rate=71)
                await screen.shows(subject, version)


async def test_a_connection_that_says_nothing_is_no_connection(api, open_screen):
    with wired(api) as (wire, url):
        screen = await open_screen(url)

        with wire.is_silent():
            await expect(screen.trouble).to_contain_text("fallen silent")
            await expect(screen.trouble).to_contain_text("may be out of date")

        await screen.is_live()
        await expect(screen.trouble).to_be_empty()


async def test_the_age_of_all_that_is_shown_grows_while_nothing_can_be_read(
    api, client, open_screen, subject
):
    await store(client, subject, heart_rate=70)
    with wired(api) as (wire, url):
        screen = await open_screen(url)
        as_of = screen.link.locator(".as-of")

        with wire.is_down():
            await expect(as_of).to_contain_text(re.compile(r"as of ([4-9]|1\d)\ss ago"))
            await expect(screen.trouble).to_be_visible()
            await expect(screen.vital(subject, "Heart rate")).to_contain_text("70 /min")

        await screen.is_live()


async def test_a_stream_that_is_refused_is_asked_for_again(client, open_screen, subject):
    screen = await open_screen()
    refused = []

    async def overloaded(route):
        refused.append(route)
        await route.fulfill(status=503, body="")

    await screen.page.route("**/v1/snapshots/stream", overloaded)
    await screen.page.reload()
    await expect(screen.trouble).to_contain_text("cut")
    version = await store(client, subject, heart_rate=70)
    await screen.shows(subject, version)

    await screen.page.unroute("**/v1/snapshots/stream")
    await screen.is_live()

    assert refused


async def test_one_reading_that_fails_is_said_and_made_up_for(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()

    await screen.page.route("**/v1/snapshots?*", lambda route: route.fulfill(status=503, body=""))
    version = await store(client, subject, heart_rate=71)
    await expect(screen.trouble).to_contain_text("cannot be read")
    await screen.page.unroute("**/v1/snapshots?*")

    await screen.shows(subject, version)
    await expect(screen.trouble).to_be_empty()


async def test_a_reading_begun_before_the_stream_is_not_taken_for_all_there_is(
    client, open_screen, subject
):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()
    cut, holds, goes_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stream(route):
        await (route.abort() if cut.is_set() else route.continue_())

    async def hold(route):
        response = await route.fetch()
        if cut.is_set():
            holds.set()
            await goes_on.wait()
        await route.fulfill(response=response)

    await screen.page.route("**/v1/snapshots/stream", stream)
    await screen.page.route("**/v1/snapshots?limit=*", hold)
    cut.set()
    await screen.page.reload()
    await holds.wait()
    version = await store(client, subject, heart_rate=71)
    await expect(screen.trouble).to_contain_text("cut")
    cut.clear()
    await expect(screen.trouble).not_to_contain_text("cut")
    goes_on.set()

    await screen.is_live()
    await screen.shows(subject, version)


async def test_a_ward_that_never_rests_is_as_of_now(client, open_screen, subject):
    screen = await open_screen()
    as_of = screen.link.locator(".as-of")
    said = []
    enough = monotonic() + 6

    while monotonic() < enough:
        await store(client, subject, heart_rate=70)
        said.append(await as_of.text_content())

    assert len(said) > 20
    assert {one.partition(" ago")[0] for one in said[-5:]} <= {"as of 0\u00a0s", "as of 1\u00a0s"}
    await expect(screen.link).to_have_attribute("data-live", "true")


async def test_after_an_hour_of_sleep_everything_is_an_hour_older(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()
    await screen.shows(subject)
    age = screen.vital(subject, "Heart rate").locator(".age")

    await screen.page.route("**/v1/**", lambda route: route.abort())
    await screen.page.evaluate(
        "() => { const before = Date.now; Date.now = () => before() + 3600 * 1000; }"
    )
    await expect(age).to_contain_text("no data for 1\u00a0h 0\u00a0min")
    await expect(screen.trouble).to_contain_text("may be out of date")
    await screen.page.unroute("**/v1/**")

    await screen.is_live()
    await expect(age).to_contain_text("s ago")
