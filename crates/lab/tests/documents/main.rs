//! What is written about the lab, held against what it is: alerts against their runbooks and
//! tests, names of metrics against the catalogues, the page of metrics, which is derived, and the
//! configuration of the stack in Docker against itself, the page of limits against the settings.

mod alerts;
mod catalogue;
mod elk;
mod faults;
mod k6;
mod mutations;
mod names;
mod orders;
mod page;
mod repository;
mod resilience;
mod runbooks;
mod security;
mod sources;
mod stack;
mod telemetry;
