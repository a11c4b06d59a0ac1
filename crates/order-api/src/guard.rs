//! Who may call what: every call presents a token, which is verified here again, whoever let it
//! through before.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::Either;
use identity::{
    Caller, Role, bearer,
    token::{Kind, Verifier},
};
use tonic::{
    Request,
    codegen::http::{self, HeaderMap},
};
use tower::{Layer, Service};

use crate::error::Error;

/// A token that was good when its request came in at the gateway is good here, a moment later.
pub(crate) const LEEWAY: Duration = Duration::from_secs(5);

/// What anybody may ask: whether the service is well, and what its contract is.
const OPEN: [&str; 3] =
    ["/grpc.health.v1.Health/", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha."];

const ALL: &[Role] = &[Role::Customer, Role::Admin, Role::Service];
const PEOPLE: &[Role] = &[Role::Customer, Role::Admin];
const SERVICES: &[Role] = &[Role::Service];

/// Who may make each call of the contract; one that is not listed is for nobody. Whose orders a
/// customer may see and place, the calls themselves decide.
const POLICY: &[(&str, &[Role])] = &[
    ("/shop.v1.Accounts/Authenticate", SERVICES),
    ("/shop.v1.Accounts/GetAccount", SERVICES),
    ("/shop.v1.Orders/CompleteFulfillment", SERVICES),
    ("/shop.v1.Orders/FailFulfillment", SERVICES),
    ("/shop.v1.Orders/GetOrder", ALL),
    ("/shop.v1.Orders/ListOrders", PEOPLE),
    ("/shop.v1.Orders/ListProducts", ALL),
    ("/shop.v1.Orders/PlaceOrder", PEOPLE),
    ("/shop.v1.Payments/Authorize", SERVICES),
    ("/shop.v1.Payments/Capture", SERVICES),
    ("/shop.v1.Payments/GetPayment", SERVICES),
    ("/shop.v1.Payments/Refund", SERVICES),
];

/// The layer: for `tonic::transport::Server::builder().layer(…)`.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer(pub(crate) Verifier);

/// A gRPC server whose calls are made by those who may.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    verifier: Verifier,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, verifier: self.0.clone() }
    }
}

impl<S, B, A> Service<http::Request<B>> for Guard<S>
where
    S: Service<http::Request<B>, Response = http::Response<A>>,
    A: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Either::Left(self.inner.call(request));
        }
        match admit(&self.verifier, path, request.headers()) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(error) => {
                tracing::debug!(reason = error.reason().as_str(), %error, "call refused");
                Either::Right(ready(Ok(error.answer().into_http())))
            }
        }
    }
}

/// Whoever makes this call, if they may.
fn admit(verifier: &Verifier, path: &str, headers: &HeaderMap) -> Result<Caller, Error> {
    let presented = bearer::presented(headers).map_err(|error| refused(&error))?;
    let token = presented.ok_or(Error::Unauthenticated("no token was presented".to_owned()))?;
    let caller = verifier.verify(token, Kind::Access).map_err(|error| refused(&error))?;
    let listed = POLICY.iter().find(|(listed, _)| *listed == path);
    match listed {
        Some((_, roles)) if roles.contains(&caller.role) => Ok(caller),
        Some(_) | None => Err(Error::NotForRole(caller.role)),
    }
}

fn refused(error: &impl ToString) -> Error {
    Error::Unauthenticated(error.to_string())
}

/// Whoever makes the call in hand.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<Caller, Error> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| Error::Unauthenticated("nobody let this call in".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contract::order::CustomerId;
    use identity::{secret::Secret, token::Issuer};
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// A call that is added to the contract is for nobody until it is listed.
    #[test]
    fn every_call_of_the_contract_is_listed_once() {
        let contract = FileDescriptorSet::decode(contract::FILE_DESCRIPTOR_SET).unwrap();
        let mut calls = BTreeSet::new();
        for file in contract.file {
            for service in &file.service {
                let name = format!("/{}.{}", file.package(), service.name());
                calls.extend(service.method.iter().map(|call| format!("{name}/{}", call.name())));
            }
        }
        let listed: Vec<_> = POLICY.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(listed, Vec::from_iter(calls));
    }

    #[test]
    fn each_role_may_make_its_calls_and_no_other() {
        let secret = Secret::random();
        let (issuer, verifier) = (Issuer::new(&secret), Verifier::new(&secret));
        let lets_in = |path: &str, role: Role| {
            let subject = CustomerId::parse("name", "ada").unwrap();
            let token =
                issuer.mint(&Caller { subject, role }, Kind::Access, Duration::from_secs(60));
            let headers =
                HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer::header(&token))]);
            admit(&verifier, path, &headers).is_ok()
        };
        for (path, roles) in POLICY {
            for role in Role::ALL {
                assert_eq!(lets_in(path, role), roles.contains(&role), "{path}: {role}");
            }
        }
        for unknown in
            ["/shop.v1.Orders/DropOrders", "/shop.v1.Orders/", "/", "/shop.v2.Orders/GetOrder"]
        {
            assert!(Role::ALL.iter().all(|role| !lets_in(unknown, *role)), "{unknown}");
        }
    }
}
