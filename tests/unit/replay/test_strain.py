import asyncio
from random import Random
from time import perf_counter

import pytest

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.patience import LONGEST_PAUSE_S, Patience
from vitalrelay.replay.read_ahead import ReadAhead
from vitalrelay.replay.strain import BEAT_S, Strain


def work_for(seconds):
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


async def test_a_client_that_held_up_its_own_loop_is_not_to_be_relied_on():
    strain, beats = Strain(), []
    watch = asyncio.create_task(strain.watch(lambda: beats.append(work_for(4 * BEAT_S))))

    while len(beats) < 3:
        await asyncio.sleep(0)
        work_for(2 * BEAT_S)
    watch.cancel()
    strain.stop()

    assert any("loop lag" in doubt for doubt in strain.doubts())
    assert strain.cpu_share > 0.1


def test_pauses_grow_up_to_a_limit_and_never_undercut_what_was_asked():
    patience, chance = Patience(), Random(1)

    pauses = {n: [patience.pause(n, 2.0, chance) for _ in range(200)] for n in (1, 4, 50)}

    assert all(2.0 <= pause <= 2.1 for pause in pauses[1])
    assert all(2.0 <= pause <= 2.8 for pause in pauses[4])
    assert max(pauses[50]) <= 2.0 + LONGEST_PAUSE_S
    assert max(pauses[50]) - min(pauses[50]) > 0.8 * LONGEST_PAUSE_S


@pytest.mark.parametrize("wrong", [(-1, 1), (1, 0), (1, float("inf")), (float("nan"), 1)])
def test_patience_without_an_end_is_wrong_usage(wrong):
    with pytest.raises(WrongUsage):
        Patience(*wrong)


async def test_reading_ahead_keeps_the_order_and_the_errors():
    def items():
        yield from range(1000)
        raise WrongUsage("here it ends")

    seen = []

    async def read():
        async for item in ReadAhead(items()):
            seen.append(item)

    with pytest.raises(WrongUsage, match="here it ends"):
        await read()

    assert seen == list(range(1000))
