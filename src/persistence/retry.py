"""Waiting for a server at start-up: exponential back-off with jitter, for as long as it takes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

T = TypeVar("T")


async def until_it_answers(
    ask: Callable[[], Awaitable[T]],
    errors: tuple[type[Exception], ...],
    on_wait: Callable[[Exception, float], None],
    longest_wait_s: float = 5.0,
) -> T:
    """
    Ask again until there is an answer, and return it.

    ``on_wait`` is told of each failure and of the pause in seconds. Whatever is not among
    ``errors`` is raised.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if isinstance(error, Exception) and state.next_action is not None:
            on_wait(error, state.next_action.sleep)

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(errors),
        wait=wait_random_exponential(multiplier=0.1, max=longest_wait_s),
        before_sleep=tell,
        reraise=True,
    ):
        with attempt:
            return await ask()
    raise AssertionError("unreachable: the loop ends with an answer or an error")
