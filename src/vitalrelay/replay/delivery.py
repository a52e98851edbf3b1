"""Taking a shipment to the target, as often as it takes, and writing down every answer."""

import asyncio
from collections.abc import Sequence
from itertools import count

from vitalrelay.replay.acknowledgements import AcknowledgementLog
from vitalrelay.replay.answers import Reply, replies_to_batch, reply_to_one
from vitalrelay.replay.attempt import Attempt
from vitalrelay.replay.chance import chance_of
from vitalrelay.replay.connection import Answer, Lane
from vitalrelay.replay.lanes import Lanes
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.shipment import Shipment
from vitalrelay.replay.tally import Tally
from vitalrelay.replay.target import MANY_PACKETS, ONE_PACKET


class Courier:
    """Every answer is logged before it is counted."""

    def __init__(self, plan: Plan, lanes: Lanes, log: AcknowledgementLog, tally: Tally) -> None:
        self._lanes, self._log, self._tally = lanes, log, tally
        self._clock = tally.clock
        self._patience = plan.patience
        self._in_batches = plan.batch > 1
        self._head = plan.target.head(MANY_PACKETS if self._in_batches else ONE_PACKET)
        self._chance = chance_of(plan.disturbance.seed, "patience")

    async def deliver(self, shipment: Shipment, lane: Lane) -> None:
        """Until every packet in it has its last word. While it waits, the lane is another's."""
        began_s = self._clock.seconds()
        intended = self._intend(shipment, began_s)
        for number in count(1):
            answer = await lane.exchange(self._request(shipment))
            self._lanes.put_back(lane)
            attempts = self._attempts(shipment, answer, number, intended)
            again = self._write_down(attempts)
            if not again:
                return
            pause_s = self._patience.pause(number, answer.retry_after_s, self._chance)
            if self._clock.seconds() + pause_s > began_s + self._patience.give_up_after_s:
                self._give_up(again)
                return
            await asyncio.sleep(pause_s)
            shipment = shipment.only(attempt.sending for attempt in again)
            lane = await self._lanes.take()

    def _intend(self, shipment: Shipment, began_s: float) -> float:
        """The moment this was meant to go; how much later it does go is slip."""
        if shipment.due_s is None:
            return self._clock.moment(began_s)
        self._tally.slip.record(began_s - shipment.due_s)
        return self._clock.moment(shipment.due_s)

    def _request(self, shipment: Shipment) -> bytes:
        body = shipment.body
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def _attempts(
        self, shipment: Shipment, answer: Answer, number: int, intended: float
    ) -> list[Attempt]:
        return [
            Attempt(sending, number, intended, answer.sent_at, reply)
            for sending, reply in zip(
                shipment.sendings, self._replies(answer, len(shipment.sendings)), strict=True
            )
        ]

    def _replies(self, answer: Answer, lines: int) -> Sequence[Reply]:
        return replies_to_batch(answer, lines) if self._in_batches else [reply_to_one(answer)]

    def _write_down(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Returns those that are worth another attempt."""
        self._log.record(attempts)
        for attempt in attempts:
            self._tally.count(attempt)
            if attempt.fate.final:
                self._tally.settle(attempt)
        return [attempt for attempt in attempts if not attempt.fate.final]

    def _give_up(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._tally.give_up(attempt)
