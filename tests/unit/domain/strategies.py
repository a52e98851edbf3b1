"""What may come from a ward: values, packets with ties and artefacts, and their arrival."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st

from tests.support import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, SEVEN, a_packet, a_signal
from vitalrelay.domain.packet import Quality, Received, Signal
from vitalrelay.domain.signals import CATALOGUE, OneOf

# As decorators: the whole directory runs in ten seconds, on a slow machine too.
often = settings(max_examples=80, deadline=None)
sometimes = settings(max_examples=40, deadline=None)

OXYGEN = ("supplemental_oxygen", "oxygen_flow", "fio2")

# Few values, so that they meet: A-B-A, artefacts, other units of the same value.
SENT = [
    ("heart_rate", "81", None),
    ("heart_rate", "131", "bpm"),
    ("heart_rate", "0", None),
    ("heart_rate", "400", None),
    ("pulse_rate", "95.5", None),
    ("pulse_rate", "277", None),
    ("respiratory_rate", "18", None),
    ("respiratory_rate", "30", None),
    ("spo2", "96.1", "%"),
    ("spo2", "91", "%"),
    ("spo2", "0.91", "1"),
    ("spo2", "0", "%"),
    ("oxygen_flow", "0", None),
    ("oxygen_flow", "2000", "mL/min"),
    ("systolic_bp", "120", None),
    ("systolic_bp", "16", "kPa"),
    ("systolic_bp", "-32768", None),
    ("arterial_systolic_bp", "88", None),
    ("temperature", "37.5", None),
    ("temperature", "99.5", "[degF]"),
    ("temperature", "384.5", None),
    ("spo2_scale", "2", None),
    ("spo2_scale", "1", None),
]
CHOSEN = [
    ("consciousness", "A"),
    ("consciousness", "C"),
    ("supplemental_oxygen", True),
    ("supplemental_oxygen", False),
]
WORDS_AND_NUMBERS = [(code, Decimal(value), unit) for code, value, unit in SENT] + [
    (code, value, None) for code, value in CHOSEN
]
# On both sides of what matters: the preferred source, the age limit.
OFFSETS_MS = [0, 1, MINUTE_MS, 5 * MINUTE_MS, 5 * MINUTE_MS + 1, 4 * HOUR_MS, 4 * HOUR_MS + 1]
# From a device that is a day ahead to a packet that is three hours late.
DELAYS_MS = [-DAY_MS, -5 * MINUTE_MS, -1, 0, 0, 105, 3 * HOUR_MS]
QUALITIES = [Quality.GOOD, Quality.GOOD, Quality.GOOD, Quality.QUESTIONABLE, Quality.INVALID]

times = st.sampled_from([NOW_MS + offset for offset in OFFSETS_MS])


@st.composite
def signals(draw) -> Signal:
    code, value, unit = draw(st.sampled_from(WORDS_AND_NUMBERS))
    return a_signal(code, value, unit, draw(times), draw(st.sampled_from(QUALITIES)))


@st.composite
def received_packets(draw, encounters=("e-1", "e-2", "e-3")) -> Received:
    at_ms = draw(times)
    packet = a_packet(
        *draw(st.lists(signals(), min_size=1, max_size=5)),
        at_ms=at_ms,
        encounter=draw(st.sampled_from(encounters)),
        device=draw(st.sampled_from(["bed-12", "cuff-3"])),
        sequence=draw(st.sampled_from([None, 1, 2, 10])),
    )
    return Received(packet, at_ms + draw(st.sampled_from(DELAYS_MS)))


def stored_packets(**wanted) -> st.SearchStrategy[list[Received]]:
    """What a database may hold of one patient: no id twice."""
    return st.lists(
        received_packets(**wanted),
        min_size=1,
        max_size=8,
        unique_by=lambda received: received.packet.id,
    )


@st.composite
def batched(draw, packets: list[Received]) -> list[list[Received]]:
    """These packets in some order of arrival, in batches of some sizes."""
    arrival = draw(st.permutations(packets))
    return split(arrival, draw(cuts(len(arrival))))


def cuts(length: int) -> st.SearchStrategy[list[bool]]:
    return st.lists(st.booleans(), min_size=length, max_size=length)


def split(arrival: list[Received], ends: list[bool]) -> list[list[Received]]:
    batches: list[list[Received]] = [[]]
    for received, last_of_its_batch in zip(arrival, ends, strict=True):
        batches[-1].append(received)
        if last_of_its_batch:
            batches.append([])
    return [batch for batch in batches if batch]


def plausible(code: str, places: int | None = 2) -> st.SearchStrategy[object]:
    """Any value of this signal that may be scored."""
    kind = CATALOGUE[code]
    if isinstance(kind, OneOf):
        return st.sampled_from(kind.choices)
    low, high = kind.plausible
    numbers = st.decimals(low, high, allow_nan=False, allow_infinity=False, places=places)
    return numbers if kind.zero_is_a_value else numbers.filter(bool)


@st.composite
def observations(draw, places: int | None = 2) -> dict[str, object]:
    """Some of the seven parameters, in canonical units, and perhaps a scale."""
    known = draw(st.sets(st.sampled_from(SEVEN)))
    values = {code: draw(plausible(code, places)) for code in sorted(known)}
    if "supplemental_oxygen" in known:
        del values["supplemental_oxygen"]
        code = draw(st.sampled_from(OXYGEN))
        values[code] = draw(plausible(code, places))
    scale = draw(st.sampled_from([None, Decimal(1), Decimal(2)]))
    return values if scale is None else values | {"spo2_scale": scale}
