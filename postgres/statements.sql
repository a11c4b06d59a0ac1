-- What each statement costs, for postgres-exporter and for whoever asks.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
