"""Holds a running shop against the pacts: web-gateway against what a storefront expects, the
message that order-api publishes against what the worker expects, and the worker against a message
that is no more than that.

    verify.py GATEWAY_URL WORKER_SIDE_URL AMQP_URL SQLITE_FILE
"""

import json
import sqlite3
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pika
from pact import Verifier

from pacts import COMMITTED
from storefront import Shop

EXCHANGE, KEY = "shop.orders", "order.placed"
PATIENCE = 30


class States:
    """What has to be so before a question is asked. What a state returns can stand in the question:
    the id of the order that it is about."""

    def __init__(self, shop, database):
        self.shop, self.database = shop, database

    def reach(self, name):
        match name:
            case "the shop is open" | "the shop sells no bicycles" | "":
                return {}
            case "ada may sign in":
                self.shop.sign_in("ada", "analytical")
                return {}
            case "the shop sells tea":
                assert "TEA-001" in self.shop.products()
                return {}
            case "one kettle is left":
                return self.leave("KET-001", 1)
            case "somebody has placed an order":
                return {"id": self.shop.place({"TEA-001": 2}).id}
            case "somebody has placed an order under the key pact-1":
                return {"id": self.shop.place({"TEA-001": 2}, key="pact-1").id}
            case "somebody has placed two orders":
                return {"id": [self.shop.place({"TEA-001": 2}) for _ in range(2)][-1].id}
            case _:
                raise ValueError(f"nobody knows how to reach the state {name!r}")

    def leave(self, sku, units):
        with sqlite3.connect(self.database, timeout=10) as shop:
            shop.execute("UPDATE products SET stock = ? WHERE sku = ?", (units, sku))
        return {}

    def serve(self):
        """Reaches states for whoever asks over HTTP; pact does, and takes the answer's values."""
        states = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    code, answer = 200, states.reach(asked["state"])
                except Exception as error:
                    code, answer = 500, {"error": repr(error)}
                    print(f"state {asked['state']!r}: {error!r}", file=sys.stderr)
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"


def verify_gateway(url, states):
    """web-gateway gives the answers that a storefront expects."""
    verifier = Verifier("web-gateway", "127.0.0.1").add_transport(url=url)
    verifier.add_source(COMMITTED / "storefront-web-gateway.json")
    verifier.state_handler(states.serve(), body=True).verify()


def verify_event(channel, states):
    """order-api publishes the message that the worker expects; it is taken from the broker."""
    copy = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(copy, EXCHANGE, KEY)

    def published(name, metadata):
        channel.queue_purge(copy)
        states.reach("somebody has placed an order")
        return message(*eventually("the event", lambda: taken(channel, copy)))

    verifier = Verifier("order-api").message_handler(published)
    verifier.add_source(COMMITTED / "fulfillment-worker-order-api.json").verify()
    channel.queue_delete(copy)


def taken(channel, queue):
    """The next message with where it came from; none if there is none yet."""
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    return method and (method, properties, body)


def message(method, properties, body):
    """A message of the broker as pact knows messages."""
    metadata = {
        "exchange": method.exchange,
        "routing_key": method.routing_key,
        "type": properties.type,
        "message_id": properties.message_id,
        "correlation_id": properties.correlation_id,
    }
    return {
        "contents": body,
        "content_type": properties.content_type,
        "metadata": {name: value for name, value in metadata.items() if value is not None},
    }


def verify_worker(channel, shop, side):
    """The worker can do its work with a message that holds what the pact says and nothing else. It
    is about an order that was fulfilled, so that all it has to do is to see that."""
    order = shop.place({"TEA-001": 2}).id
    eventually("the order's fulfillment", lambda: shop.order(order).status == "fulfilled")
    pact = json.loads((COMMITTED / "fulfillment-worker-order-api.json").read_text())
    [expected] = pact["interactions"]
    body = expected["contents"]["content"] | {"order_id": order}
    properties = pika.BasicProperties(
        type=expected["metadata"]["type"], content_type=expected["metadata"]["contentType"]
    )
    channel.confirm_delivery()
    before = done_before(side)
    channel.basic_publish(EXCHANGE, KEY, json.dumps(body), properties, mandatory=True)
    eventually("the worker's word on the message", lambda: done_before(side) == before + 1)


def done_before(side):
    """How many messages the worker has found to be about orders that were done before."""
    series = 'fulfillment_messages_total{outcome="duplicate"} '
    with urllib.request.urlopen(f"{side}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.removeprefix(series)) for line in lines if line.startswith(series))


def eventually(what, look):
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise SystemExit(f"not within {PATIENCE} s: {what}")


def main():
    gateway, side, broker, database = sys.argv[1:]
    shop = Shop(gateway)
    states = States(shop, Path(database))
    channel = pika.BlockingConnection(pika.URLParameters(broker)).channel()
    verify_gateway(gateway, states)
    verify_event(channel, states)
    verify_worker(channel, shop, side)
    print("contracts: kept by web-gateway, order-api and fulfillment-worker")


main()
