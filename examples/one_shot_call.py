"""One call in an actor of its own: a process is started, does one thing, and is gone."""

import trio

from treetap import actor


async def count_primes(first: int, last: int) -> int:
    """How many primes there are from ``first`` to ``last``; keeps a core busy."""
    return sum(is_prime(number) for number in range(first, last + 1))


def is_prime(number: int) -> bool:
    return number > 1 and all(number % other for other in range(2, int(number**0.5) + 1))


async def main() -> None:
    async with actor.open_nursery() as nursery:
        primes = await nursery.run(count_primes, 1, 10_000)
        print(f"{primes} primes up to 10000")

        # Side by side, on as many cores as there are: each call is a task of trio's.
        counts: dict[int, int] = {}

        async def count(first: int) -> None:
            counts[first] = await nursery.run(count_primes, first, first + 9_999)

        async with trio.open_nursery() as tasks:
            for first in (1, 10_001, 20_001):
                tasks.start_soon(count, first)
        for first, found in sorted(counts.items()):
            print(f"{found} from {first}")


if __name__ == "__main__":
    trio.run(main)
