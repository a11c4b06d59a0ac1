"""What answers look like, as matchers: by type and form where only those are relied on, by value
where the value is."""

from pact import generate, match

ID = "01980000-0000-7000-8000-000000000001"
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
MOMENT = "2026-01-02T03:04:05.678901Z"
STATUS = r"^(pending|placed|fulfilled|declined|failed|refunded)$"


def order(status="placed", id=ID):
    """An order of two units of TEA-001."""
    return {
        "id": match.regex(id, regex=UUID),
        "customer_id": match.str("demo"),
        "status": match.regex(status, regex=STATUS),
        "items": [{"sku": "TEA-001", "quantity": 2, "unit_price_minor": match.int(590)}],
        "total_minor": match.int(1180),
        "currency": "EUR",
        "created_at": match.regex(MOMENT, regex=TIME),
        "updated_at": match.regex(MOMENT, regex=TIME),
    }


def product():
    """Something that is sold."""
    return {
        "sku": match.str("TEA-001"),
        "name": match.str("Assam breakfast tea, 100 g"),
        "unit_price_minor": match.int(590),
        "currency": "EUR",
        "stock": match.int(1000),
    }


def problem(status, code, field=None):
    """A refusal: its code is relied on, its words are not."""
    expected = {
        "type": f"/problems/{code}",
        "title": match.str("What is wrong"),
        "status": status,
        "detail": match.str("what is wrong this time"),
        "code": code,
        "correlation_id": match.str("checkout-7"),
    }
    return expected | ({"field": field} if field else {})


def id_of_the_state(path):
    """A path with the id of the order that the provider's state is about."""
    state = generate.provider_state(path.format(id="${id}"))
    return match.matcher.GenericMatcher("type", path.format(id=ID), generator=state)
