# Takes a request of OTLP/HTTP in JSON apart: an event for each log record in it.
#
# The attributes of the record and of its resource become fields under their own names, dots and all
# (service.name, order_id), as the template of the indices expects.

def register(_params)
end

def filter(event)
  event.get("resourceLogs").flat_map do |resource_logs|
    resource = attributes(resource_logs["resource"])
    (resource_logs["scopeLogs"] || []).flat_map do |scope_logs|
      (scope_logs["logRecords"] || []).map { |record| log_event(resource, record) }
    end
  end
end

def log_event(resource, record)
  fields = resource.merge(attributes(record))
  fields["@timestamp"] = timestamp(record)
  fields["message"] = value(record["body"] || {}).to_s
  fields["severity"] = record["severityText"]
  fields["severity_number"] = record["severityNumber"]
  fields["trace_id"] = record["traceId"]
  fields["span_id"] = record["spanId"]
  LogStash::Event.new(fields.reject { |_, field| field.nil? || field == "" })
end

# When it happened, or else when it was first seen. Both are nanoseconds, written as strings.
def timestamp(record)
  nanos = [record["timeUnixNano"], record["observedTimeUnixNano"]].map(&:to_i).find(&:positive?)
  return LogStash::Timestamp.now if nanos.nil?

  LogStash::Timestamp.at(nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000)
end

def attributes(owner)
  ((owner || {})["attributes"] || []).to_h { |pair| [pair["key"], value(pair["value"] || {})] }
end

# What an AnyValue holds: {"stringValue": "…"}, {"intValue": "7"} and so on.
def value(any)
  kind, held = any.first
  case kind
  when "intValue" then held.to_i
  when "arrayValue" then (held["values"] || []).map { |item| value(item) }
  when "kvlistValue" then (held["values"] || []).to_h { |pair| [pair["key"], value(pair["value"])] }
  else held
  end
end
