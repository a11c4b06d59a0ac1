//! What is drawn of the lab: every dashboard as data, and Grafana's JSON made of it.
//!
//! - [`model`]: dashboards, panels and their queries, as data that anything can draw.
//! - `builder`: the words in which they are written.
//! - `promql`: the queries that are asked of many metrics, written once.
//! - `rows`: the rows that several dashboards have.
//! - `boards`: the dashboards, one file each.
//! - `traces`: which panels lead to the traces of which service.
//! - [`grafana`]: Grafana's JSON.
//! - [`audit`]: every query with its place, and which of them may rightly be empty.
//!
//! `grafana/dashboards` is derived from here; the test `derived` rewrites it.

pub mod audit;
mod boards;
mod builder;
pub mod grafana;
pub mod model;
mod promql;
mod rows;
mod traces;

pub use boards::all;
