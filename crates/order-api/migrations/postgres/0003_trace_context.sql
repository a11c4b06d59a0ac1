-- The trace that each event belongs to (W3C Trace Context), so that whoever publishes it, and whoever
-- works on it, goes on with the trace of the request that wrote it.
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
ALTER TABLE outbox ADD COLUMN tracestate TEXT;
