//! Declares the gRPC contract, as it is, to be released: from now on it must not be broken.
//!
//!     cargo run -p contract --example release
//!
//! The test `released` of this crate holds the contract against what this writes.

use std::{error::Error, fs};

use prost::Message as _;
use prost_types::FileDescriptorSet;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/released.binpb");

fn main() -> Result<(), Box<dyn Error>> {
    let mut contract = FileDescriptorSet::decode(contract::FILE_DESCRIPTOR_SET)?;
    contract.file.retain(|file| file.package().starts_with("shop."));
    for file in &mut contract.file {
        // Comments promise nothing.
        file.source_code_info = None;
    }
    fs::write(FILE, contract.encode_to_vec())?;
    println!("released: {FILE}");
    Ok(())
}
