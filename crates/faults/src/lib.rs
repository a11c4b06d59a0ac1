//! Where the shop can be made to misbehave, how, and the faults made of it.
//!
//! - [`seam`]: the steps of the services at which something can go wrong. A service has one line
//!   at each: `faults.strike(Seam::StoreOrder).await?`.
//! - [`effect`]: what can go wrong there. An effect is code; there are few of them.
//! - [`switchboard`]: which effects are on in one service, for how long. It knows no fault's name,
//!   so nothing that a service logs, counts or traces can give one away.
//! - [`control`]: the switchboard over HTTP, on a service's side port.
//! - [`catalogue`]: the faults. A fault is data: its story, its parameters, its effects at seams.
//! - [`parameters`]: what a learner may set of a fault, parsed and checked.

pub mod catalogue;
pub mod control;
pub mod effect;
pub mod parameters;
pub mod seam;
pub mod switchboard;

pub use catalogue::{FAULTS, Fault, find};
pub use effect::Effect;
pub use seam::{Seam, Service};
pub use switchboard::{Arming, Failure, Switchboard};
