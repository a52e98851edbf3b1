"""What a clinician does: with a mouse or with the keyboard alone, once, and on every screen."""

import json
import re

from playwright.async_api import expect

from tests.browser.screen import SOON_MS, store
from tests.integration.http.packets import WELL

VERY_ILL = WELL | {"respiratory_rate": 30, "spo2": 85, "heart_rate": 140}
ANSWERS = "**/v1/alarms/**"


def acknowledge(subject):
    return f"Acknowledge NEWS2 high, {subject}"


async def test_an_acknowledgement_on_one_page_appears_on_another(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    here, there = await open_screen(), await open_screen()

    await here.button(acknowledge(subject)).click()
    await here.fill(actor="nurse-7", words="seen at bedside")
    await here.button("Acknowledge").click()

    alarm = there.card(subject).locator("li.alarm[data-priority=high]")
    await expect(alarm).to_contain_text("acknowledged by nurse-7")
    await expect(there.button(acknowledge(subject))).to_be_hidden()
    assert here.complaints == there.complaints == []


async def test_the_keyboard_is_enough_and_the_focus_returns(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen(at=f"/#subject={subject}")
    button = screen.button(acknowledge(subject))
    presses = 0

    while not await button.evaluate("button => button === document.activeElement"):
        await screen.page.keyboard.press("Tab")
        presses += 1
        assert presses < 30
    for key in ("Enter", *"nurse-7", "Tab", *"seen", "Enter"):
        await screen.page.keyboard.press(key)

    alarm = screen.card(subject).locator("li.alarm[data-priority=high]")
    await expect(screen.dialog).to_be_hidden()
    await expect(alarm).to_contain_text("acknowledged by nurse-7")
    await expect(button).to_be_focused()
    await screen.page.keyboard.press("Tab")
    await expect(screen.button(f"Mute NEWS2 high, {subject}")).to_be_focused()
    await expect(button).to_be_hidden()


async def test_the_name_is_remembered_and_escape_changes_nothing(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    await screen.button(f"Mute NEWS2 high, {subject}").click()
    await screen.fill(actor="nurse-7", words="doctor is here")
    await screen.button("Mute").click()
    await expect(screen.dialog).to_be_hidden()

    await screen.button(acknowledge(subject)).click()
    remembered = await screen.dialog.locator("[name=actor]").input_value()
    await screen.page.keyboard.press("Escape")

    assert remembered == "nurse-7"
    await expect(screen.dialog).to_be_hidden()
    await expect(screen.button(acknowledge(subject))).to_be_focused()
    await expect(screen.card(subject)).not_to_contain_text("acknowledged")


async def test_a_mute_is_counted_down_and_stays_in_sight(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()

    await screen.button(f"Mute NEWS2 high, {subject}").click()
    await screen.fill(actor="nurse-7", words="doctor is here", minutes="5")
    await screen.button("Mute").click()

    alarm = screen.card(subject).locator("li.alarm[data-priority=high]")
    await expect(alarm).to_have_attribute("data-muted", "true")
    await expect(alarm).to_contain_text(re.compile(r"4:[345]\d left"))
    await expect(alarm).to_contain_text("active, since")


async def test_a_mute_that_ran_out_is_over_without_anybody_saying_so(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    mute = {"actorRef": "nurse-7", "reason": "doctor is here", "durationSeconds": 8}
    screen = await open_screen()
    alarm = screen.card(subject).locator("li.alarm[data-priority=high]")

    await client.post(f"/v1/alarms/{subject}:news2-high/mute", json=mute)

    await expect(alarm).to_have_attribute("data-muted", "true")
    await expect(alarm).to_have_attribute("data-muted", "false")


async def test_more_than_half_an_hour_cannot_be_asked_for(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    await screen.button(f"Mute NEWS2 high, {subject}").click()

    await screen.fill(actor="nurse-7", words="lunch", minutes="31")
    await screen.button("Mute").click()

    await expect(screen.dialog).to_be_visible()
    await expect(screen.dialog.locator("[name=minutes]")).to_be_focused()
    await expect(screen.card(subject)).not_to_contain_text("muted")


async def test_an_alarm_that_is_gone_meanwhile_is_said_in_the_dialog(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    await screen.button(f"Mute Respiratory rate scores 3, {subject}").click()
    seen = {"actorRef": "nurse-8", "reason": "seen"}
    await client.post(f"/v1/alarms/{subject}:vital-red:respiratory_rate/acknowledge", json=seen)
    version = await store(client, subject, respiratory_rate=16)
    await screen.shows(subject, version)

    await screen.fill(actor="nurse-7", words="doctor is here")
    await screen.button("Mute").click()

    await expect(screen.dialog.get_by_role("alert")).to_contain_text("resolved")
    await screen.page.keyboard.press("Escape")
    await expect(screen.card(subject).get_by_role("heading")).to_be_focused()


async def test_what_got_no_answer_is_repeated_under_the_same_key(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    keys = []

    async def no_answer(route):
        keys.append(route.request.headers["idempotency-key"])
        await route.abort()

    await screen.page.route(ANSWERS, no_answer)
    await screen.button(acknowledge(subject)).click()
    await screen.fill(actor="nurse-7", words="seen")
    for _ in range(2):
        await screen.button("Acknowledge").click()
        await expect(screen.dialog.get_by_role("alert")).to_contain_text("No answer")
    await screen.page.unroute(ANSWERS)
    async with screen.page.expect_request(ANSWERS) as request:
        await screen.button("Acknowledge").click()

    answered = await (await request.value).response()
    assert {*keys, (await request.value).headers["idempotency-key"]} == {keys[0]}
    assert answered.status == 200
    await expect(screen.dialog).to_be_hidden()


async def test_another_intention_has_another_key(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    said = []

    async def no_answer(route):
        said.append((route.request.headers["idempotency-key"], json.loads(route.request.post_data)))
        await route.abort()

    await screen.page.route(ANSWERS, no_answer)
    await screen.button(acknowledge(subject)).click()
    for reason in ("seen", "seen, and called the doctor"):
        await screen.fill(actor="nurse-7", words=reason)
        await screen.button("Acknowledge").click()
        await expect(screen.dialog.get_by_role("alert")).to_contain_text("No answer")

    [(first, _), (second, body)] = said
    assert first != second
    assert body["reason"] == "seen, and called the doctor"


async def test_a_review_is_resolved_with_a_note(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    review = screen.card(subject).locator(".reviewed")
    await expect(review).to_have_text("Review: high")

    await screen.button(f"Resolve review of {subject}").click()
    await screen.fill(actor="dr.kim_02", words="sepsis bundle started")
    await screen.button("Resolve").click()

    await expect(screen.dialog).to_be_hidden()
    await expect(review).to_be_hidden()


async def test_what_comes_meanwhile_leaves_the_dialog_and_its_words_alone(
    client, open_screen, subject
):
    await store(client, subject, **VERY_ILL)
    screen = await open_screen()
    await screen.button(acknowledge(subject)).click()
    await screen.fill(actor="nurse-7", words="half a sen")

    version = await store(client, subject, **VERY_ILL | {"heart_rate": 141})
    await screen.shows(subject, version)
    await screen.page.keyboard.type("tence")

    words = screen.dialog.locator("[name=words]")
    await expect(words).to_be_focused()
    await expect(words).to_have_value("half a sentence")


async def test_a_new_high_alarm_is_said_once_and_politely(client, open_screen, subject):
    screen = await open_screen()
    said = screen.page.locator("#said")
    for name in (subject, f"{subject}-b"):
        await store(client, name, **WELL)

    await store(client, subject, **VERY_ILL)
    await expect(said).to_have_text(f"New high alarm: {subject}, NEWS2 high")
    for heart_rate in (141, 142):
        version = await store(client, subject, **VERY_ILL | {"heart_rate": heart_rate})
        await screen.shows(subject, version)
    await store(client, f"{subject}-b", **VERY_ILL)

    assert await said.get_attribute("aria-live") == "polite"
    await expect(said).to_have_text(f"New high alarm: {subject}-b, NEWS2 high")


async def test_nothing_is_news_on_a_page_just_opened(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)

    screen = await open_screen()
    await screen.card(subject).wait_for(timeout=SOON_MS)

    await expect(screen.page.locator("#said")).to_have_text("")


async def test_the_focus_on_an_alarm_that_leaves_goes_to_its_patient(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)
    seen = {"actorRef": "nurse-8", "reason": "seen"}
    await client.post(f"/v1/alarms/{subject}:vital-red:respiratory_rate/acknowledge", json=seen)
    screen = await open_screen()
    await screen.button(f"Mute Respiratory rate scores 3, {subject}").focus()

    version = await store(client, subject, respiratory_rate=16)
    await screen.shows(subject, version)

    await expect(screen.card(subject).get_by_role("heading")).to_be_focused()
