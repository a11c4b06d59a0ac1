//! Where the shop can be made to misbehave, how, and the faults made of it.
//!
//! - [`seam`]: the steps of the services at which something can go wrong. A service has one line
//!   at each: `faults.strike(Seam::StoreOrder).await?`, or `if faults.detours(Seam::ListOrders)`.
//! - [`effect`]: what can go wrong there. An effect is code; there are few of them.
//! - [`switchboard`]: which effects are on in one service, for how long. It knows no fault's name,
//!   so nothing that a service logs, counts or traces can give one away.
//! - [`control`]: the switchboard over HTTP, on a service's side port.
//! - [`action`]: what turning a fault on does: effects at seams, and what is done outside of the
//!   services, to the payment provider, the broker, the database and the customers.
//! - [`contract`]: what a fault promises, for `lab prove` to hold it to.
//! - [`catalogue`]: the faults. A fault is data: its story, its parameters, its actions, its
//!   contract.
//! - [`repair`]: what operators can do about it.
//! - [`parameters`]: what a learner may set of a fault, parsed and checked.

pub mod action;
mod backtracking;
pub mod catalogue;
pub mod contract;
pub mod control;
pub mod effect;
pub mod parameters;
pub mod repair;
pub mod seam;
pub mod switchboard;

pub use action::{Action, Deed, Needs};
pub use catalogue::{CANARY_VERSION, FAULTS, Family, Fault, find};
pub use effect::Effect;
pub use repair::Repair;
pub use seam::{Seam, Service};
pub use switchboard::{Arming, Failure, Switchboard};
