//! Compiles the services of OTLP; protox stands in for protoc, so none has to be installed.

use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    let descriptors = protox::compile(["logs.proto", "traces.proto"], [&protos])?;
    // Parts of a request share its memory.
    let builder = tonic_prost_build::configure().build_client(false).bytes(".");
    builder.compile_fds(descriptors)?;
    Ok(())
}
