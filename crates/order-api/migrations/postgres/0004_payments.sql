-- An order is paid before it is placed, and has its money back if it cannot be fulfilled.
ALTER TABLE orders DROP CONSTRAINT orders_status_check;
ALTER TABLE orders ADD CONSTRAINT orders_status_check CHECK (
    status IN ('pending', 'placed', 'declined', 'fulfilled', 'failed', 'refunded'));

-- due_at: when somebody has to go on with the order, because whoever had it in hand may be dead;
-- NULL if there is nothing to go on with. attempts: how often going on has failed since it last
-- went on. The trace is that of the request that placed it, for whoever goes on.
ALTER TABLE orders
    ADD COLUMN payment_method TEXT   NOT NULL DEFAULT 'card',
    ADD COLUMN due_at         TIMESTAMPTZ,
    ADD COLUMN attempts       BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN traceparent    TEXT,
    ADD COLUMN tracestate     TEXT;

CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;

-- When an order came to each status. It comes to none twice.
CREATE TABLE order_history (
    order_id UUID        NOT NULL REFERENCES orders (id),
    status   TEXT        NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (order_id, status)
);

INSERT INTO order_history (order_id, status, at) SELECT id, 'placed', created_at FROM orders;
INSERT INTO order_history (order_id, status, at)
    SELECT id, status, updated_at FROM orders WHERE status <> 'placed';
-- The money of a failed order goes back from now on.
UPDATE orders SET due_at = updated_at WHERE status = 'failed';

-- Payments know orders by their ids alone: they could live elsewhere.
CREATE TABLE payments (
    order_id         UUID PRIMARY KEY,
    status           TEXT        NOT NULL CHECK (
        status IN ('authorized', 'declined', 'captured', 'voided', 'refunded')),
    amount_minor     BIGINT      NOT NULL CHECK (amount_minor >= 0),
    currency         TEXT        NOT NULL CHECK (length(currency) = 3),
    authorization_id TEXT        NOT NULL,
    decline_reason   TEXT,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL
);
