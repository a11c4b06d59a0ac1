//! Whether the dashboards are whole, true to what is measured, and the same as Grafana's files.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how one fails")]

mod derived;
mod measured;
mod parsed;
mod traces;
mod whole;
