"""What a clinician sees of a patient, how soon, and in which order."""

from statistics import median
from time import perf_counter

from playwright.async_api import expect

from tests.browser.screen import send, store
from tests.integration.http.packets import WELL, now_ms, signals

MINUTE_MS = 60_000
VERY_ILL = WELL | {"respiratory_rate": 30, "spo2": 85, "heart_rate": 140}
ILL = WELL | {"respiratory_rate": 22, "heart_rate": 115, "temperature": 38.4}


async def test_a_packet_is_on_the_page_within_a_second_of_its_receipt(client, open_screen, subject):
    screen = await open_screen()
    took_s = []

    for heart_rate in range(70, 79):
        version = await store(client, subject, heart_rate=heart_rate)
        stored = perf_counter()
        await screen.shows(subject, version)
        took_s.append(perf_counter() - stored)

    await expect(screen.vital(subject, "Heart rate")).to_contain_text("78 /min")
    assert median(took_s) < 1, took_s


async def test_the_most_urgent_stand_first_and_a_partial_low_apart(client, open_screen, site):
    ward = {
        "unknown": {"perfusion_index": 1},
        "partial": {"heart_rate": 80},
        "low": WELL,
        "low-medium": WELL | {"consciousness": "V"},
        "medium": ILL,
        "high": VERY_ILL,
    }
    for name, values in ward.items():
        await send(client, siteId=site, subjectId=f"{site}-{name}", signals=signals(**values))

    screen = await open_screen(at=f"/#site={site}")

    most_urgent_first = ["high", "medium", "low-medium", "low", "partial", "unknown"]
    assert await screen.order() == [f"{site}-{name}" for name in most_urgent_first]


async def test_a_patient_who_turns_ill_rises_and_keeps_the_focus(client, open_screen, site):
    for name in ("c", "b", "a"):
        await send(client, siteId=site, subjectId=f"{site}-{name}", signals=signals(**ILL))
    screen = await open_screen(at=f"/#site={site}")
    button = screen.button(f"Resolve review of {site}-c")
    await button.focus()

    version = await send(client, siteId=site, subjectId=f"{site}-c", signals=signals(**VERY_ILL))
    await screen.shows(f"{site}-c", version)

    assert await screen.order() == [f"{site}-{name}" for name in ("c", "a", "b")]
    await expect(button).to_be_focused()


async def test_a_risk_never_stands_without_how_much_it_rests_on(client, open_screen, subject):
    without_temperature = {name: WELL[name] for name in WELL if name != "temperature"}
    await store(client, subject, **without_temperature)

    card = (await open_screen()).card(subject)

    await expect(card).to_contain_text("Low, partial")
    await expect(card).to_contain_text("NEWS2 0 to 3")
    await expect(card).to_contain_text("missing: Temperature")


async def test_an_old_value_is_louder_than_a_normal_one(client, open_screen, subject):
    measured_ms = now_ms() - 12 * MINUTE_MS
    old = {"code": "spo2", "value": 96, "measuredAtMs": measured_ms}
    await send(client, subjectId=subject, signals=[*signals(heart_rate=70), old])

    screen = await open_screen()

    await expect(screen.vital(subject, "SpO₂")).to_have_attribute("data-old", "true")
    await expect(screen.vital(subject, "SpO₂")).to_contain_text("no data for 12 min")
    await expect(screen.vital(subject, "Heart rate")).to_have_attribute("data-old", "false")


async def test_an_age_goes_on_counting_while_nothing_comes(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()
    age = screen.vital(subject, "Heart rate").locator(".age")

    first = await age.text_content()
    await expect(age).not_to_have_text(first)

    assert (await age.text_content()).endswith("s ago")


async def test_a_browser_whose_clock_is_wrong_shows_the_same_ages(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    wrong = await open_screen()
    await wrong.page.add_init_script(
        "{ const right = Date.now; Date.now = () => right() + 3 * 3600 * 1000; }"
    )

    await wrong.page.reload()
    await wrong.is_live()

    await expect(wrong.vital(subject, "Heart rate").locator(".age")).to_contain_text("s ago")


async def test_a_slipped_probe_shows_no_number_beside_the_last_good_one(
    client, open_screen, subject
):
    await send(
        client,
        subjectId=subject,
        timestampMs=now_ms() - 3 * MINUTE_MS,
        signals=signals(spo2=96),
    )
    await store(client, subject, spo2=0)

    vital = (await open_screen()).vital(subject, "SpO₂")

    await expect(vital.locator(".value")).to_have_text("no reading")
    await expect(vital).to_contain_text("invalid")
    await expect(vital).to_contain_text("last good 96 %, 3 min ago")


async def test_two_values_of_one_moment_are_called_a_conflict(client, open_screen, subject):
    at_ms = now_ms()
    for heart_rate in (70, 90):
        await send(
            client, subjectId=subject, timestampMs=at_ms, signals=signals(heart_rate=heart_rate)
        )

    screen = await open_screen()

    await expect(screen.vital(subject, "Heart rate")).to_contain_text("conflict")


async def test_a_patient_nobody_listens_to_is_called_not_monitored(client, open_screen, subject):
    await store(client, subject, heart_rate=70)
    screen = await open_screen()
    await screen.alter(lambda item: item["snapshot"].update(monitored=False))

    version = await store(client, subject, heart_rate=71)
    await screen.shows(subject, version)

    await expect(screen.card(subject).locator(".monitored")).to_have_text("not monitored")


async def test_an_alarm_is_a_shape_and_a_word_with_its_state(client, open_screen, subject):
    await store(client, subject, **VERY_ILL)

    card = (await open_screen()).card(subject)
    alarm = card.locator("li.alarm").first

    await expect(alarm).to_contain_text("High NEWS2 high")
    await expect(alarm).to_contain_text("active, since")
    assert await alarm.locator("svg.shape path").get_attribute("d")


async def test_a_filter_says_whom_it_hides(client, open_screen, site):
    for name, values in (("well", WELL), ("ill", VERY_ILL)):
        await send(client, siteId=site, subjectId=f"{site}-{name}", signals=signals(**values))
    screen = await open_screen()

    await screen.page.get_by_role("combobox", name="Site").select_option(site)
    await screen.page.get_by_role("searchbox", name="Patient").fill("WELL")

    assert await screen.order() == [f"{site}-well"]
    await expect(screen.page.locator("#hidden-ones")).to_contain_text("at high risk")
    assert f"site={site}" in screen.page.url


async def test_it_says_what_it_is_not(open_screen):
    screen = await open_screen()

    limits = screen.page.locator(".limits")

    await expect(limits).to_be_in_viewport()
    await expect(limits).to_contain_text("Not a primary alarm system, not a medical device.")
    await expect(limits).to_contain_text("not valid under 16 years of age or in pregnancy")
