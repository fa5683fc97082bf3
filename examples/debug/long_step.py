"""``n`` over an ``await`` that takes long: ctrl-c brings the prompt back, inside the task that waits."""

import asyncio

from levels import depth, run_below


async def wait(woken: asyncio.Event) -> str:
    who = "the one that waits"
    await asyncio.wait_for(woken.wait(), 60)  # there: try !woken.set(), and c
    return who


async def main() -> None:
    woken = asyncio.Event()
    breakpoint()
    who = await asyncio.create_task(wait(woken)) if woken.is_set() else await wait(woken)
    print(who, "goes on", flush=True)


def work() -> None:
    asyncio.run(main())


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
