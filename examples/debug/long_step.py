"""``n`` over an ``await`` that takes long: ctrl-c brings the prompt back, inside the task that waits."""

import asyncio

from levels import depth, run_below


async def wait(woken: asyncio.Event) -> str:
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(woken.wait(), 60)  # !loop.call_soon_threadsafe(woken.set), and c
    return "it was woken"


async def main() -> None:
    woken = asyncio.Event()
    breakpoint()
    outcome = await wait(woken)
    print(outcome, flush=True)


def work() -> None:
    asyncio.run(main())


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
