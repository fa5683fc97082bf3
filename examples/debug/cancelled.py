"""A prompt in a task that is cancelled already is a prompt as any; the cancellation comes at the next await."""

import trio
from levels import depth, run_below


async def main() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        breakpoint()
        print("it goes on", flush=True)
        await trio.sleep(0)
        print("never", flush=True)
    print("cancelled:", scope.cancelled_caught, flush=True)


def work() -> None:
    trio.run(main)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
