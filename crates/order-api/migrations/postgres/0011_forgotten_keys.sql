-- Keys are forgotten when they are old: the oldest first.
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
