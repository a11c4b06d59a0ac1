//! The control desk and the customers, each against a shop that the test controls.

mod arming;
mod bad_input;
mod customers;
mod database;
mod dead_letters;
mod desk;
mod load;
mod outlook;
mod payments;
mod proxy;
mod real_shop;
mod repairs;
mod replica;
mod settings;
mod shop;
mod telemetry;
