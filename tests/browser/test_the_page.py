"""The page itself: reachable for everybody, readable, within its frame, and deaf to markup."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.in_the_page import FAINT, NAMELESS, TOO_WIDE
from tests.browser.screen import LARGE, UPRIGHT, send, store
from tests.integration.http.packets import WELL, now_ms, signals
from tests.integration.http.serving import until

VERY_ILL = WELL | {"respiratory_rate": 30, "spo2": 85, "heart_rate": 140}
HOUR_MS = 3_600_000
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
async def ward(client, site):
    """Twelve patients: ill, well, partial, old, doubtful, contradictory, muted, with long names."""
    for number in range(6):
        values = VERY_ILL if number < 3 else WELL
        await send(client, siteId=site, subjectId=f"{site}-{number}", signals=signals(**values))
    long_id = f"{site}-a-subject-id-of-as-many-letters-as-it-may-have-".ljust(64, "x")
    await send(client, siteId=site, subjectId=long_id, signals=signals(**VERY_ILL))
    at_ms = now_ms() - HOUR_MS
    await send(
        client, siteId=site, subjectId=f"{site}-old", timestampMs=at_ms, signals=signals(**WELL)
    )
    for values in ({"spo2": 96}, {"spo2": 0}, {"consciousness": "V"}, {"perfusion_index": 1}):
        await send(client, siteId=site, subjectId=f"{site}-partial", signals=signals(**values))
    doubtful = {"code": "heart_rate", "value": 70, "quality": "questionable"}
    await send(client, siteId=site, subjectId=f"{site}-doubtful", signals=[doubtful])
    await send(client, siteId=site, subjectId=f"{site}-unknown", signals=signals(spo2=0))
    for heart_rate in (70, 90):
        two = {"siteId": site, "subjectId": f"{site}-two", "timestampMs": at_ms}
        await send(client, **two, signals=signals(heart_rate=heart_rate))
    done = {"actorRef": "nurse-7", "reason": "seen"}
    await client.post(f"/v1/alarms/{site}-1:news2-high/acknowledge", json=done)
    mute = done | {"durationSeconds": 600}
    await client.post(f"/v1/alarms/{site}-2:news2-high/mute", json=mute)
    return site


@pytest.fixture
async def screen(ward, open_screen):
    screen = await open_screen(at=f"/#site={ward}")
    await screen.shows(f"{ward}-2", 2)
    return screen


async def test_the_browser_has_nothing_to_complain_of(client, screen, ward):
    await screen.button(f"Mute NEWS2 high, {ward}-0").click()
    await screen.fill(actor="nurse-7", words="doctor is here")
    await screen.button("Mute").click()
    await expect(screen.dialog).to_be_hidden()

    await screen.page.reload()
    await screen.is_live()

    assert screen.complaints == []


@pytest.mark.parametrize("size", [LARGE, UPRIGHT], ids=["large", "upright"])
async def test_nothing_reaches_beyond_the_frame(screen, size):
    await screen.page.set_viewport_size(size)

    assert len(await screen.order()) == 12
    assert await screen.page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_what_is_behind_it(screen, ward, scheme):
    await screen.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    page = await screen.page.evaluate(FAINT)
    await screen.button(f"Mute NEWS2 high, {ward}-0").click()
    dialog = await screen.page.evaluate(FAINT)

    assert page == []
    assert dialog == []


async def test_who_wants_no_motion_gets_none(screen):
    await screen.page.emulate_media(reduced_motion="reduce")

    running = await screen.page.evaluate("document.getAnimations().length")

    assert running == 0


async def test_every_control_has_a_name_and_no_two_buttons_the_same(screen, ward):
    page = await screen.page.evaluate(NAMELESS)
    names = await names_of(screen, "button")
    await screen.button(f"Mute NEWS2 high, {ward}-0").click()
    dialog = await screen.page.evaluate(NAMELESS)
    in_dialog = await names_of(screen, "textbox", "spinbutton", "button")

    assert page == dialog == []
    assert len(names) > 10
    assert len(set(names)) == len(names)
    assert {"Who you are", "Reason", "Minutes, 1 to 30", "Mute", "Cancel"} <= set(in_dialog)


async def names_of(screen, *roles):
    """As a screen reader is told them."""
    tree = await screen.page.locator("body").aria_snapshot()
    return re.findall(rf'^\s*- (?:{"|".join(roles)}) "([^"]*)"', tree, re.MULTILINE)


async def test_it_is_built_of_headings_and_lists_that_say_what_they_are(screen, ward):
    tree = await screen.page.locator("body").aria_snapshot()

    assert '- heading "Ward" [level=1]' in tree
    assert '- heading "Patients, most urgent first" [level=2]' in tree
    assert f'- heading "{ward}-0" [level=3]' in tree
    assert '- list "Patients, most urgent first"' in tree
    assert f'- list "Vital signs of {ward}-0"' in tree
    assert f'- list "Alarms of {ward}-0"' in tree


async def test_what_a_gateway_sends_is_text_and_never_markup(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()

    def poison(item):
        document = item["snapshot"]
        document["siteId"] = document["encounterId"] = MARKUP
        document["vitals"][MARKUP] = document["vitals"]["spo2"] | {"unit": MARKUP}
        for alarm in document["alarms"]:
            alarm |= {"condition": MARKUP, "acknowledgedBy": MARKUP}

    await screen.alter(poison)
    version = await store(client, subject, heart_rate=141)
    await screen.shows(subject, version)

    card = screen.card(subject)
    await expect(card.locator(".place")).to_have_text(f"{MARKUP}, {MARKUP}")
    await expect(card.locator(".condition").first).to_have_text(MARKUP)
    assert await card.locator("img, script").count() == 0
    assert screen.complaints == []


async def test_no_script_can_make_markup_of_a_text(open_screen):
    screen = await open_screen()

    refused = await screen.page.evaluate(
        "text => { try { document.body.innerHTML = text; } catch (error) { return error.name; } }",
        MARKUP,
    )

    assert refused == "TypeError"


async def test_a_snapshot_that_goes_backwards_is_not_shown(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()
    stale = (await client.get(f"/v1/subjects/{subject}/snapshot")).json()
    await screen.shows(subject, await store(client, subject, heart_rate=80))
    answered = []

    def go_back(item):
        if item["snapshot"]["subjectId"] == subject:
            answered.append(stale["version"])
            item["snapshot"] = stale

    await screen.alter(go_back)
    version = await store(client, subject, heart_rate=90)
    await until(lambda: len(answered) > 2)  # it asks again, since a newer one was announced
    shown = await screen.card(subject).get_attribute("data-version")
    value = await screen.vital(subject, "Heart rate").locator(".value").text_content()
    await screen.page.unroute_all(behavior="wait")

    await screen.shows(subject, version)
    assert (shown, value) == ("2", "80")


async def test_one_document_that_cannot_be_shown_hides_no_other(client, open_screen, site):
    for name in ("broken", "whole"):
        await send(client, siteId=site, subjectId=f"{site}-{name}", signals=signals(**WELL))
    screen = await open_screen()

    def spoil(item):
        if item["snapshot"]["subjectId"] == f"{site}-broken":
            item["snapshot"]["vitals"] = None

    await screen.alter(spoil)
    for name in ("broken", "whole"):
        version = await send(
            client, siteId=site, subjectId=f"{site}-{name}", signals=signals(heart_rate=71)
        )
    await screen.shows(f"{site}-whole", version)

    await expect(screen.trouble).to_contain_text("fault of its own")
