//! The calls of the contract: parsed, done, answered.

use contract::{
    order::CustomerId,
    shop::v1::{
        Account, AuthenticateRequest, AuthenticateResponse, GetAccountRequest, GetAccountResponse,
        Role, accounts_server,
    },
};
use identity::{Caller, secret::Password};
use tonic::{Request, Response, Status};

use super::Accounts;
use crate::{error::Error, rpc::answer};

#[tonic::async_trait]
impl accounts_server::Accounts for Accounts {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        answer(async {
            let AuthenticateRequest { username, password } = request.into_inner();
            // What can be nobody's need not be looked for.
            let name = CustomerId::parse("username", username);
            let name = name.map_err(|_| Error::InvalidCredentials)?;
            let password = Password::parse(password).ok_or(Error::InvalidCredentials)?;
            let caller = Accounts::authenticate(self, &name, password).await?;
            Ok(AuthenticateResponse { account: Some(account(caller)?) })
        })
        .await
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        answer(async {
            let name = CustomerId::parse("customer_id", request.into_inner().customer_id);
            let caller = self.get(&name.map_err(|_| Error::NoAccount)?).await?;
            Ok(GetAccountResponse { account: Some(account(caller)?) })
        })
        .await
    }
}

/// An account as a message; services have none.
fn account(Caller { subject, role }: Caller) -> Result<Account, Error> {
    let role = match role {
        identity::Role::Customer => Role::Customer,
        identity::Role::Admin => Role::Admin,
        identity::Role::Service => return Err(Error::Corrupt("the role of a user")),
    };
    Ok(Account { customer_id: subject.to_string(), role: role.into() })
}
