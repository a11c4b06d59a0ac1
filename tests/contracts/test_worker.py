"""What fulfillment-worker expects of the message with which order-api announces an order. The
worker's own reading of it is tested where that is: crates/fulfillment-worker reads the pact."""

import json
import unittest

from pact import match

import expected
import pacts

EXCHANGE, KEY, TYPE = "shop.orders", "order.placed", "shop.v1.OrderPlaced"


class Worker(unittest.TestCase):
    def test_an_order_that_was_placed_is_announced(self):
        pact = pacts.begin("fulfillment-worker", "order-api")
        announced = {
            "order_id": match.regex(expected.ID, regex=expected.UUID),
            "customer_id": match.str("demo"),
            "items": match.each_like({"sku": match.str("TEA-001"), "quantity": match.int(2)}, min=1),
            "total_minor": match.int(1180),
            "currency": "EUR",
            "placed_at": match.regex(expected.MOMENT, regex=expected.TIME),
        }
        properties = {
            "exchange": EXCHANGE,
            "routing_key": KEY,
            "type": TYPE,
            "message_id": match.regex(expected.ID, regex="^.+$"),
            "correlation_id": match.regex("checkout-7", regex="^.+$"),
        }
        (
            pact.upon_receiving("an order that was placed", "Async")
            .given("somebody has placed an order")
            .with_body(announced, "application/json")
            .with_metadata(properties)
        )
        read = []
        pact.verify(lambda body, metadata: read.append((json.loads(body), metadata)), "Async")
        [(order, metadata)] = read
        self.assertEqual(order["items"], [{"sku": "TEA-001", "quantity": 2}])
        self.assertEqual(metadata["type"], TYPE)
        pacts.add(pact)


if __name__ == "__main__":
    unittest.main()
