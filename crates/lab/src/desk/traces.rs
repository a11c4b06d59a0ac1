//! The last traces over HTTP: listed, and one of them drawn.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use serde::{Serialize, Serializer};
use telemetry::{
    id::TraceId,
    trace::{Trace, TraceRow},
    waterfall::{self, Waterfall},
};

use super::{
    Parts,
    answer::{Given, Refusal, Wants},
    search::TraceSearch,
};

pub(super) fn router() -> Router<Arc<Parts>> {
    Router::new().route("/traces", get(list)).route("/traces/{id}", get(show))
}

/// Traces in a list.
#[derive(Serialize)]
struct Traces {
    traces: Vec<TraceRow>,
    /// How many are here, asked for or not.
    kept: usize,
    /// Where they go, if not here.
    elsewhere: Option<String>,
}

/// One trace, to be drawn so many columns wide.
struct Drawn {
    trace: Trace,
    width: usize,
}

async fn list(State(parts): State<Arc<Parts>>, wants: Wants, given: Given) -> Response {
    match TraceSearch::read(&given) {
        Ok(search) => wants.answer(Traces {
            traces: parts.store.traces(&search.filter, search.limit),
            kept: parts.store.stats().traces,
            elsewhere: parts.otlp_elsewhere.clone(),
        }),
        Err(refusal) => wants.refuse(refusal),
    }
}

async fn show(
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    wants: Wants,
    given: Given,
) -> Response {
    match find(&parts, &id, &given) {
        Ok(drawn) => wants.answer(drawn),
        Err(refusal) => wants.refuse(refusal),
    }
}

fn find(parts: &Parts, id: &str, given: &Given) -> Result<Drawn, Refusal> {
    let width = given.iter().try_fold(waterfall::WIDTH, width)?;
    let id: TraceId = id.parse().map_err(|error: telemetry::id::NoTraceId| {
        Refusal::new(StatusCode::BAD_REQUEST, error.to_string(), vec![how_to_find()])
    })?;
    let trace = parts.store.trace(id).ok_or_else(|| unknown(parts, id))?;
    Ok(Drawn { trace, width })
}

fn width(_: usize, (name, value): (&str, &str)) -> Result<usize, Refusal> {
    let problem = match (name, value.parse()) {
        ("width", Ok(width @ 1..)) => return Ok(width),
        ("width", _) => format!("width={value} is not a number of columns"),
        _ => format!("there is no setting {name:?}"),
    };
    let possible = vec![format!("width=1 or more ({}, if it is not given)", waterfall::WIDTH)];
    Err(Refusal::new(StatusCode::BAD_REQUEST, problem, possible))
}

fn unknown(parts: &Parts, id: TraceId) -> Refusal {
    let (here, most) = (parts.store.stats(), parts.store.limits());
    let (traces, spans, megabytes) = (here.traces, most.spans, most.bytes >> 20);
    let elsewhere = parts.otlp_elsewhere.as_ref().map(|url| format!("\n{}", Elsewhere(url)));
    let error = format!(
        "there is no trace {id} here: the lab keeps only the last {spans} spans, or {megabytes} \
         MiB, and now has {traces} traces; a trace comes some seconds after its steps have ended{}",
        elsewhere.unwrap_or_default()
    );
    Refusal::new(StatusCode::NOT_FOUND, error, vec![how_to_find()])
}

fn how_to_find() -> String {
    "lab traces, or GET /traces: the last traces with their ids".to_owned()
}

/// Says that traces and logs are not here.
pub(super) struct Elsewhere<'a>(pub(super) &'a str);

impl fmt::Display for Elsewhere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traces and logs go to {}, and not to the lab: look there", self.0)
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.traces.is_empty() {
            return match (&self.elsewhere, self.kept) {
                (Some(url), _) => Elsewhere(url).fmt(f),
                (None, 0) => f.write_str("no trace has come yet"),
                (None, kept) => write!(f, "none of the {kept} traces is like that"),
            };
        }
        f.write_str("began             took steps   trace")?;
        self.traces.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Waterfall::new(&self.trace, self.width).fmt(f)
    }
}

impl Serialize for Drawn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.trace.serialize(serializer)
    }
}
