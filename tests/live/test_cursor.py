"""A cursor: what its line can't take yet is told later, not forgotten."""

import asyncio

from uploads.live.cursor import Cursor


class SlowLine:
    """A socket whose reader's network takes each message only when it is told to."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.told: list[str] = []

    async def tell(self, text: str) -> None:
        await self.free.wait()
        self.told.append(text)

    async def end(self, code: int, last_words: str) -> None:
        raise AssertionError("nobody ends this line")


async def test_news_that_came_during_a_message_is_asked_for_after_it() -> None:
    line = SlowLine()
    cursor = Cursor(1, 1, None, line)
    again = asyncio.Event()
    ready_then: list[bool] = []
    cursor.send(5, "{}", "the first")
    await asyncio.sleep(0)
    assert not cursor.ready
    cursor.pass_over(lambda: (ready_then.append(cursor.ready), again.set())[1])
    assert not again.is_set()
    line.free.set()
    await asyncio.wait_for(again.wait(), 30)
    assert (line.told, ready_then) == (["the first"], [True])
