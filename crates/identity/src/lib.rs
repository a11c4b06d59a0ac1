//! Who calls the shop, how that is shown at every hop, and what each caller may do.
//!
//! - [`caller`]: a subject and a role, and the rules of whose orders they may see.
//! - [`token`]: a caller as a signed token; `hs256` is the one algorithm that there is.
//! - [`standing`]: a token of one's own that is always good for a while.
//! - [`bearer`]: a token in the header `authorization`, of HTTP and of gRPC.
//! - [`present`]: a layer that presents a token with every call.
//! - [`secret`]: what must never be shown: the key of the tokens, and passwords.
//! - [`demo`]: the users of the lab.
//! - [`config`]: the settings that every service has; [`hushed`] reads those that are secret.

pub mod bearer;
pub mod caller;
pub mod config;
pub mod demo;
mod hs256;
pub mod hushed;
pub mod present;
pub mod secret;
pub mod standing;
pub mod token;

pub use caller::{Caller, Denied, Role};
pub use config::Config;
