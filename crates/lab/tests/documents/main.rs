//! What is written about the lab, held against what it is: alerts against their runbooks and
//! tests, names of metrics against the catalogues, the page of metrics, which is derived, and the
//! configuration of the stack in Docker against itself.

mod alerts;
mod catalogue;
mod elk;
mod names;
mod page;
mod repository;
mod runbooks;
mod sources;
mod stack;
mod telemetry;
