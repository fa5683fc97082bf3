"""``n`` over an ``await`` that takes long: ctrl-c brings the prompt back, inside the task that waits."""

import asyncio

from levels import depth, run_below


async def wait(woken: asyncio.Event) -> str:
    await asyncio.wait_for(woken.wait(), 60)
    return "it was woken"


async def tell() -> None:
    await asyncio.sleep(0.05)
    print("other tasks run meanwhile", flush=True)


async def main() -> None:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    telling = loop.create_task(tell())
    breakpoint()
    outcome = await wait(woken)  # in the middle of it: !loop.call_soon_threadsafe(woken.set)
    await telling
    print(outcome, flush=True)


def work() -> None:
    asyncio.run(main())


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
