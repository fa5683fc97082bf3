"""A long-lived service in an actor, with a stream both ways.

The annotation of ``context`` says what may cross, seen from the service: it sends receipts, receives
orders, and starts with a text. A wrong type is an error where it is sent.
"""

import msgspec
import trio

from treetap import actor


class Order(msgspec.Struct):
    item: str
    quantity: int


class Receipt(msgspec.Struct):
    order: Order
    total: float


async def till(context: actor.Context[Receipt, Order, str], prices: dict[str, float]) -> float:
    """Take orders until there are no more; give the takings of the day."""
    takings = 0.0
    await context.started(f"the till is open, {len(prices)} items")
    async with context.open_stream() as stream:
        async for order in stream:
            total = order.quantity * prices[order.item]
            takings += total
            await stream.send(Receipt(order, total))
    return takings


async def main() -> None:
    prices = {"sap": 2.5, "syrup": 9.0}
    async with actor.open_nursery() as nursery:
        portal = await nursery.start_actor("shop")
        async with portal.open_context(till, prices) as (context, greeting):
            print(greeting)
            async with context.open_stream() as stream:
                for order in (Order("syrup", 2), Order("sap", 10)):
                    await stream.send(order)
                    receipt = await stream.receive()
                    print(f"{receipt.order.quantity} {receipt.order.item}: {receipt.total}")
                try:
                    await stream.send(Receipt(order, 0.0))  # type: ignore[arg-type]
                except actor.PayloadError as error:
                    print(error.what)
            print(f"takings: {await context.result()}")


if __name__ == "__main__":
    trio.run(main)
