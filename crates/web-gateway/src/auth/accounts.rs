//! The calls to order-api, which knows who may sign in.

use std::sync::Arc;

use contract::{
    order::CustomerId,
    shop::v1::{
        self as proto, AuthenticateRequest, GetAccountRequest, accounts_client::AccountsClient,
    },
};
use identity::{Caller, Role, secret::Password};
use instrumentation::rpc::Method;

use crate::{
    calls::{Calls, Repeat},
    channel::Transport,
    deadline::Deadline,
    error::Error,
};

/// The accounts of the shop, as the gateway asks for them: with a token of its own.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    client: AccountsClient<Transport>,
    calls: Arc<Calls>,
}

impl Accounts {
    pub(crate) fn new(transport: Transport, calls: Arc<Calls>) -> Self {
        Self { client: AccountsClient::new(transport), calls }
    }

    /// Whoever has this name and this password.
    pub(super) async fn authenticate(
        &self,
        deadline: Deadline,
        username: &CustomerId,
        password: &Password,
    ) -> Result<Caller, Error> {
        let (username, password) = (username.to_string(), password.expose().to_owned());
        let message = AuthenticateRequest { username, password };
        let send = |request| {
            let mut client = self.client.clone();
            async move { client.authenticate(request).await }
        };
        let answer =
            self.calls.make(Method::Authenticate, deadline, Repeat::Harmless, message, send);
        caller(answer.await?.account)
    }

    /// The account of this name, as it is now.
    pub(super) async fn get(
        &self,
        deadline: Deadline,
        customer_id: &CustomerId,
    ) -> Result<Caller, Error> {
        let message = GetAccountRequest { customer_id: customer_id.to_string() };
        let send = |request| {
            let mut client = self.client.clone();
            async move { client.get_account(request).await }
        };
        let answer = self.calls.make(Method::GetAccount, deadline, Repeat::Harmless, message, send);
        caller(answer.await?.account)
    }
}

fn caller(account: Option<proto::Account>) -> Result<Caller, Error> {
    let account = account.ok_or(Error::Answer("account"))?;
    let role = match account.role() {
        proto::Role::Unspecified => return Err(Error::Answer("role")),
        proto::Role::Customer => Role::Customer,
        proto::Role::Admin => Role::Admin,
    };
    let subject = CustomerId::parse("customer_id", account.customer_id);
    Ok(Caller { subject: subject.map_err(|_| Error::Answer("customer id"))?, role })
}
