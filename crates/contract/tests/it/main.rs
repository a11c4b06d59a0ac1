//! Whether the contract still holds what was promised with its last release.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how one fails")]

mod promises;
mod released;
