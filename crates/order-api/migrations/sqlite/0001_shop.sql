-- What the shop sells. Stock is reserved by orders and can never be less than nothing.
CREATE TABLE products (
    sku              TEXT PRIMARY KEY,
    name             TEXT   NOT NULL,
    unit_price_minor INTEGER NOT NULL CHECK (unit_price_minor BETWEEN 0 AND 1000000000),
    stock            INTEGER NOT NULL CHECK (stock >= 0)
) STRICT;

-- Ids are UUIDv7: they sort by the time of placing, so pages need no other order.
CREATE TABLE orders (
    id             BLOB PRIMARY KEY,
    customer_id    TEXT        NOT NULL,
    status         TEXT        NOT NULL CHECK (status IN ('placed', 'fulfilled', 'failed')),
    total_minor    INTEGER      NOT NULL CHECK (total_minor >= 0),
    currency       TEXT        NOT NULL CHECK (length(currency) = 3),
    correlation_id TEXT,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL
) STRICT;

CREATE INDEX orders_by_customer ON orders (customer_id, id);
CREATE INDEX orders_by_status ON orders (status, id);

CREATE TABLE order_items (
    order_id         BLOB   NOT NULL REFERENCES orders (id),
    line             INTEGER NOT NULL,
    sku              TEXT   NOT NULL REFERENCES products (sku),
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_minor INTEGER NOT NULL,
    PRIMARY KEY (order_id, line),
    UNIQUE (order_id, sku)
) STRICT;

-- Events to be published, deleted once the broker has confirmed them. The payload is text, since
-- it goes out byte for byte as it was written and nothing here looks inside. claimed_until has
-- no index, so that claiming a row need not touch one.
CREATE TABLE outbox (
    id             BLOB PRIMARY KEY,
    order_id       BLOB   NOT NULL REFERENCES orders (id),
    kind           TEXT        NOT NULL,
    payload        TEXT        NOT NULL,
    correlation_id TEXT,
    created_at     TEXT NOT NULL,
    claimed_until  TEXT,
    attempts       INTEGER      NOT NULL DEFAULT 0
) STRICT;

-- How each order ended, and the message that asked for it. The key is what makes it once.
CREATE TABLE fulfillments (
    order_id    BLOB PRIMARY KEY REFERENCES orders (id),
    message_id  TEXT        NOT NULL,
    outcome     TEXT        NOT NULL CHECK (outcome IN ('fulfilled', 'failed')),
    reason      TEXT        CHECK (reason IN ('goods_missing')),
    recorded_at TEXT NOT NULL
) STRICT;

-- The first answer to each idempotency key: an order, or a refusal and the SKU it is about. The
-- row is written before its order, so that a second call waits for the first one's commit.
CREATE TABLE idempotency_keys (
    customer_id TEXT        NOT NULL,
    key         TEXT        NOT NULL,
    fingerprint TEXT        NOT NULL,
    order_id    BLOB   REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    refusal     TEXT        CHECK (refusal IN ('UNKNOWN_SKU', 'INSUFFICIENT_STOCK')),
    refused_sku TEXT,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (customer_id, key),
    CHECK ((order_id IS NULL) <> (refusal IS NULL)),
    CHECK ((refusal IS NULL) = (refused_sku IS NULL))
) STRICT;
