from io import StringIO

from rich.console import Console

from tests.unit.replay.packets import a_plan, a_stream
from tests.unit.replay.scripted_server import receipt, refusal, says, serving
from vitalrelay.replay.console import BEATS_PER_LOOK, Onlooker, show
from vitalrelay.replay.pacing import Rate
from vitalrelay.replay.run import replay


def a_console(terminal):
    return Console(file=StringIO(), force_terminal=terminal, width=120)


async def test_on_a_terminal_one_sees_how_far_it_is():
    console = a_console(terminal=True)
    async with serving(says(receipt())) as served:
        plan = a_plan(served.url, a_stream(50), Rate(100), packets=50)

        with Onlooker(console) as onlooker:
            await replay(plan, onlooker.look)

    assert "acknowledged" in console.file.getvalue()
    assert "p99" in console.file.getvalue()


async def test_without_a_terminal_nothing_is_shown():
    console = a_console(terminal=False)
    async with serving(says(receipt())) as served:
        plan = a_plan(served.url, a_stream(10))

        with Onlooker(console) as onlooker:
            summary = await replay(plan, onlooker.look)
            for _ in range(BEATS_PER_LOOK):
                onlooker.look(summary)

    assert console.file.getvalue() == ""


async def test_at_the_end_one_sees_what_was_not_as_it_should_be():
    console = a_console(terminal=False)
    async with serving(says(refusal(422, "invalid-packet"))) as served:
        summary = await replay(a_plan(served.url, a_stream(3)))

    show(summary, console)

    assert "invalid-packet 3" in console.file.getvalue()
    assert "packets not acknowledged: 3" in console.file.getvalue()
