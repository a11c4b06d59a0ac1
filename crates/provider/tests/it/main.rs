//! The payment provider as its clients know it: over HTTP, in this process or through a socket.

mod answers;
mod changing;
mod client;
mod forgetting;
mod keys;
mod leaving;
mod line;
mod measured;
mod model;
mod refusals;
mod tokens;
