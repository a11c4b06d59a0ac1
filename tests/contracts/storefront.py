"""The shop as a storefront uses it: the consumer whose expectations the pact holds."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass


@dataclass
class Order:
    """An order, as far as a storefront cares."""

    id: str
    status: str
    total_minor: int
    currency: str
    repeated: bool = False


class Problem(Exception):
    """The shop says no, and what is wrong."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem['code']}: {problem['detail']}")
        self.status, self.code, self.field = status, problem["code"], problem.get("field")
        self.correlation_id = problem["correlation_id"]


class Shop:
    """The shop at an address."""

    def __init__(self, url, token=None):
        self.url, self.token = str(url).rstrip("/"), token

    def sign_in(self, username, password):
        """The same shop, for somebody whom it knows."""
        form = {"username": username, "password": password}
        _, answer = self._ask("POST", "/auth/login", form)
        return Shop(self.url, answer["access_token"])

    def products(self):
        """What is sold: names and prices by SKU."""
        _, answer = self._ask("GET", "/products")
        return {each["sku"]: (each["name"], each["unit_price_minor"], each["stock"])
                for each in answer["products"]}

    def place(self, items, key=None, payment_method=None):
        """Places an order, of quantities by SKU. It may come back `pending` (202): the payment is
        not decided yet. A declined card (402) is a problem, as all that is refused is."""
        order = {
            "items": [{"sku": sku, "quantity": quantity} for sku, quantity in items.items()],
        }
        if payment_method:
            order["payment_method"] = payment_method
        headers = {"Idempotency-Key": key} if key else {}
        answered, answer = self._ask("POST", "/orders", order, headers)
        return _order(answer, answered.get("idempotent-replayed") == "true")

    def order(self, id):
        """An order, as it is now."""
        return _order(self._ask("GET", f"/orders/{id}")[1])

    def orders(self, limit):
        """The newest orders, and the cursor of the page after."""
        _, answer = self._ask("GET", f"/orders?limit={limit}")
        return [_order(each) for each in answer["orders"]], answer["next_cursor"]

    def _ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.headers, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise Problem(error.code, json.load(error)) from None


def _order(answer, repeated=False):
    return Order(
        answer["id"], answer["status"], answer["total_minor"], answer["currency"], repeated
    )
