"""What a storefront expects of web-gateway: each test says it to a mock of the gateway and then is
the storefront. What was expected and asked becomes pacts/storefront-web-gateway.json."""

import unittest

from pact import match

import expected
import pacts
from storefront import Problem, Shop

CART = {"items": [{"sku": "TEA-001", "quantity": 2}]}


class Storefront(unittest.TestCase):
    def setUp(self):
        self.pact = pacts.begin("storefront", "web-gateway")

    def expect(self, what, given, method, path, status, body, asked=None):
        """One question, and the answer that the storefront relies on."""
        kind = "application/json" if status < 400 else "application/problem+json"
        interaction = self.pact.upon_receiving(what).given(given).with_request(method, path)
        if asked is not None:
            interaction.with_body(asked, "application/json")
        return interaction.will_respond_with(status).with_body(body, kind)

    def served(self, act):
        with self.pact.serve() as mock:
            answer = act(Shop(mock.url))
        pacts.add(self.pact)
        return answer

    def refused(self, act):
        with self.pact.serve() as mock, self.assertRaises(Problem) as raised:
            act(Shop(mock.url))
        pacts.add(self.pact)
        return raised.exception

    def test_products_are_listed(self):
        body = {"products": match.each_like(expected.product(), min=1)}
        self.expect("a list of the products", "the shop sells tea", "GET", "/products", 200, body)
        products = self.served(Shop.products)
        self.assertEqual(products["TEA-001"], ("Assam breakfast tea, 100 g", 590, 1000))

    def test_a_customer_signs_in(self):
        form = {"username": "ada", "password": "analytical"}
        body = {
            "access_token": match.regex("a.b.c", regex=r"^[\w-]+\.[\w-]+\.[\w-]+$"),
            "token_type": "Bearer",
            "expires_in": match.int(900),
            "refresh_token": match.regex("a.b.c", regex=r"^[\w-]+\.[\w-]+\.[\w-]+$"),
        }
        what, given = "who ada is, and her password", "ada may sign in"
        self.expect(what, given, "POST", "/auth/login", 200, body, form)
        shop = self.served(lambda shop: shop.sign_in("ada", "analytical"))
        self.assertEqual(shop.token, "a.b.c")

    def test_a_wrong_password_is_refused(self):
        form = {"username": "ada", "password": "synthetical"}
        body = expected.problem(401, "invalid_credentials")
        what, given = "who ada is, and a wrong password", "ada may sign in"
        self.expect(what, given, "POST", "/auth/login", 401, body, form)
        problem = self.refused(lambda shop: shop.sign_in("ada", "synthetical"))
        self.assertEqual((problem.status, problem.code), (401, "invalid_credentials"))

    def test_an_order_is_placed(self):
        given = "the shop sells tea"
        (
            self.expect("an order", given, "POST", "/orders", 201, expected.order(), CART)
            .with_header("Location", match.regex(f"/orders/{expected.ID}", regex=r"^/orders/.+$"))
        )
        order = self.served(lambda shop: shop.place({"TEA-001": 2}))
        self.assertEqual((order.id, order.status, order.repeated), (expected.ID, "placed", False))

    def test_an_order_that_is_sent_again_is_the_same_order(self):
        given, what = "somebody has placed an order under the key pact-1", "the same order again"
        (
            self.expect(what, given, "POST", "/orders", 201, expected.order(), CART)
            .with_header("Idempotent-Replayed", "true")
            .with_header("Idempotency-Key", "pact-1", "Request")
        )
        order = self.served(lambda shop: shop.place({"TEA-001": 2}, key="pact-1"))
        self.assertTrue(order.repeated)

    def test_a_key_is_for_one_order(self):
        given = "somebody has placed an order under the key pact-1"
        other = CART | {"items": [{"sku": "TEA-001", "quantity": 3}]}
        body = expected.problem(422, "idempotency_key_reused")
        (
            self.expect("another order under that key", given, "POST", "/orders", 422, body, other)
            .with_header("Idempotency-Key", "pact-1", "Request")
        )
        problem = self.refused(lambda shop: shop.place({"TEA-001": 3}, key="pact-1"))
        self.assertEqual(problem.code, "idempotency_key_reused")

    def test_what_is_not_in_stock_is_refused(self):
        given, body = "one kettle is left", expected.problem(409, "insufficient_stock")
        cart = CART | {"items": [{"sku": "KET-001", "quantity": 2}]}
        self.expect("an order of two kettles", given, "POST", "/orders", 409, body, cart)
        problem = self.refused(lambda shop: shop.place({"KET-001": 2}))
        self.assertEqual((problem.status, problem.code), (409, "insufficient_stock"))

    def test_what_is_not_sold_is_refused(self):
        given, body = "the shop sells no bicycles", expected.problem(422, "unknown_sku")
        cart = CART | {"items": [{"sku": "BIKE-001", "quantity": 1}]}
        self.expect("an order of a bicycle", given, "POST", "/orders", 422, body, cart)
        problem = self.refused(lambda shop: shop.place({"BIKE-001": 1}))
        self.assertEqual(problem.code, "unknown_sku")

    def test_what_is_no_order_is_refused_with_the_field(self):
        body = expected.problem(422, "invalid_order", "items[0].quantity")
        cart = CART | {"items": [{"sku": "TEA-001", "quantity": 0}]}
        given = "the shop sells tea"
        self.expect("an order of nothing", given, "POST", "/orders", 422, body, cart)
        problem = self.refused(lambda shop: shop.place({"TEA-001": 0}))
        self.assertEqual(problem.field, "items[0].quantity")

    def test_a_declined_card_is_refused(self):
        given, body = "the shop sells tea", expected.problem(402, "payment_declined")
        cart = CART | {"payment_method": "card-declined"}
        what = "an order with a card that is declined"
        self.expect(what, given, "POST", "/orders", 402, body, cart)
        problem = self.refused(
            lambda shop: shop.place({"TEA-001": 2}, payment_method="card-declined")
        )
        self.assertEqual((problem.status, problem.code), (402, "payment_declined"))

    def test_an_order_is_looked_at(self):
        path = expected.id_of_the_state("/orders/{id}")
        given = "somebody has placed an order"
        self.expect("that order", given, "GET", path, 200, expected.order("fulfilled"))
        order = self.served(lambda shop: shop.order(expected.ID))
        self.assertEqual((order.status, order.total_minor), ("fulfilled", 1180))

    def test_an_order_that_is_not_there_is_not_found(self):
        nobody = "01980000-0000-7000-8000-00000000dead"
        body = expected.problem(404, "order_not_found")
        self.expect("an unknown order", "the shop is open", "GET", f"/orders/{nobody}", 404, body)
        self.assertEqual(self.refused(lambda shop: shop.order(nobody)).code, "order_not_found")

    def test_orders_come_a_page_at_a_time(self):
        cursor = match.regex("01980000", regex="^.+$")
        body = {"orders": [expected.order()], "next_cursor": cursor}
        given = "somebody has placed two orders"
        interaction = self.expect("a page of one order", given, "GET", "/orders", 200, body)
        interaction.with_query_parameters({"limit": "1"})
        orders, cursor = self.served(lambda shop: shop.orders(1))
        self.assertEqual((len(orders), bool(cursor)), (1, True))


if __name__ == "__main__":
    unittest.main()
