//! The receiver over real gRPC, the bounds of the store, and the exact text of a drawing.

mod bounds;
mod drawing;
mod following;
mod reading;
mod receiving;
mod sent;
