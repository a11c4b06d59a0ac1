//! The outside world of the shop, and the one command that runs it all.
//!
//! - [`cli`]: the command line of `lab`.
//! - [`up`]: `lab up`, the shop and its world on this machine, nothing installed.
//! - [`doctor`]: `lab doctor`, what `lab up` needs, checked beforehand.
//! - [`service`]: one of the three services, in this process.
//! - [`desk`]: the control desk, the only one that knows the truth.
//! - [`client`]: the control desk, asked from the command line.
//! - [`token`]: `lab token`, to be somebody in the shop.
//! - [`observe`]: traces and logs, asked for from the command line.
//! - [`customers`]: who browses and orders, at a rate that does not wait for answers.
//! - [`load`]: how much the shop bears, measured.
//! - [`proxy`]: `lab proxy`, in the path to the database.
//! - [`metrics`]: what the lab measures.

pub mod cli;
pub mod client;
pub mod customers;
pub mod desk;
pub mod doctor;
pub mod load;
pub mod metrics;
pub mod observe;
mod prove;
pub mod proxy;
pub mod service;
pub mod token;
pub mod up;
