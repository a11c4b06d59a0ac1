//! Compiles the gRPC contract; protox stands in for protoc, so none has to be installed.

use std::{error::Error, fs, path::Path};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    let files = ["shop/v1/accounts.proto", "shop/v1/orders.proto", "shop/v1/payments.proto"];
    let descriptors = protox::compile(files, [&protos])?;
    #[expect(clippy::disallowed_methods, reason = "how cargo talks to a build script")]
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("shop.v1.bin"), descriptors.encode_to_vec())?;
    // It has a password in it; src/lib.rs says what it shows of itself instead.
    let secrets = ["shop.v1.AuthenticateRequest"];
    tonic_prost_build::configure().skip_debug(secrets).compile_fds(descriptors)?;
    Ok(())
}
