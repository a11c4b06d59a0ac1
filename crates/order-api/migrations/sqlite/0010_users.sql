-- Who may sign in. The name is the customer id that their orders are placed under; the hash is an
-- argon2 one in PHC form, which says itself how it was made.
CREATE TABLE users (
    username      TEXT PRIMARY KEY,
    password_hash TEXT        NOT NULL,
    role          TEXT        NOT NULL CHECK (role IN ('customer', 'admin')),
    created_at    TEXT NOT NULL
) STRICT;
