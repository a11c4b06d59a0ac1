-- An order is paid before it is placed, and has its money back if it cannot be fulfilled. SQLite
-- cannot change what a column may hold, so there is a new column for it.
DROP INDEX orders_by_status;
ALTER TABLE orders RENAME COLUMN status TO old_status;
ALTER TABLE orders ADD COLUMN status TEXT NOT NULL DEFAULT 'pending' CHECK (
    status IN ('pending', 'placed', 'declined', 'fulfilled', 'failed', 'refunded'));
UPDATE orders SET status = old_status;
ALTER TABLE orders DROP COLUMN old_status;
CREATE INDEX orders_by_status ON orders (status, id);

-- due_at: when somebody has to go on with the order, because whoever had it in hand may be dead;
-- NULL if there is nothing to go on with. attempts: how often going on has failed since it last
-- went on. The trace is that of the request that placed it, for whoever goes on.
ALTER TABLE orders ADD COLUMN payment_method TEXT NOT NULL DEFAULT 'card';
ALTER TABLE orders ADD COLUMN due_at TEXT;
ALTER TABLE orders ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN traceparent TEXT;
ALTER TABLE orders ADD COLUMN tracestate TEXT;

CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;

-- When an order came to each status. It comes to none twice.
CREATE TABLE order_history (
    order_id BLOB NOT NULL REFERENCES orders (id),
    status   TEXT NOT NULL,
    at       TEXT NOT NULL,
    PRIMARY KEY (order_id, status)
) STRICT;

INSERT INTO order_history (order_id, status, at) SELECT id, 'placed', created_at FROM orders;
INSERT INTO order_history (order_id, status, at)
    SELECT id, status, updated_at FROM orders WHERE status <> 'placed';
-- The money of a failed order goes back from now on.
UPDATE orders SET due_at = updated_at WHERE status = 'failed';

-- Payments know orders by their ids alone: they could live elsewhere.
CREATE TABLE payments (
    order_id         BLOB PRIMARY KEY,
    status           TEXT    NOT NULL CHECK (
        status IN ('authorized', 'declined', 'captured', 'voided', 'refunded')),
    amount_minor     INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency         TEXT    NOT NULL CHECK (length(currency) = 3),
    authorization_id TEXT    NOT NULL,
    decline_reason   TEXT,
    created_at       TEXT    NOT NULL,
    updated_at       TEXT    NOT NULL
) STRICT;
