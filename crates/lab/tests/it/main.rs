//! The control desk and the customers, each against a shop that the test controls.

mod arming;
mod bad_input;
mod customers;
mod dead_letters;
mod desk;
mod outlook;
mod real_shop;
mod shop;
mod telemetry;
