//! What a token costs: to mint, and to verify, which every hop does for every call.

use std::{hint::black_box, time::Duration};

use contract::order::CustomerId;
use criterion::{Criterion, criterion_group, criterion_main};
use identity::{
    Caller,
    secret::Secret,
    standing::Standing,
    token::{Issuer, Kind, Verifier},
};

fn tokens(criterion: &mut Criterion) {
    let secret = Secret::random();
    let (issuer, verifier) = (Issuer::new(&secret), Verifier::new(&secret));
    let ada = Caller::customer(CustomerId::parse("name", "ada").expect("a name"));
    let mint = || issuer.mint(&ada, Kind::Access, Duration::from_secs(900));
    let token = mint();
    eprintln!("a token has {} bytes", token.len());
    criterion.bench_function("mint", |bencher| bencher.iter(|| black_box(mint())));
    criterion.bench_function("verify", |bencher| {
        bencher.iter(|| black_box(verifier.verify(black_box(&token), Kind::Access)));
    });
    let standing = Standing::new(issuer.clone(), ada.clone());
    criterion.bench_function("hand out a standing token", |bencher| {
        bencher.iter(|| black_box(standing.header()));
    });
}

criterion_group!(benches, tokens);
criterion_main!(benches);
