//! `lab token`: signed in at the shop, for curl and grpcurl.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use identity::{Role, demo::DemoUsers, hushed::Hushed, secret::Password};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::client::BAD_INPUT;

/// How long the shop may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose token, and from where.
#[derive(Clone, Debug, clap::Args)]
pub struct Token {
    /// The shop's front door.
    #[arg(
        long = "gateway",
        env = "LAB_GATEWAY_URL",
        default_value = "http://127.0.0.1:3000",
        value_name = "URL"
    )]
    url: String,

    /// Whose; the first customer's unless it is said.
    #[arg(long, value_name = "NAME", conflicts_with = "role")]
    user: Option<String>,

    /// The first user's who is this: customer or admin.
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,

    /// The password of a user who is not one of the demo users.
    #[arg(long, env = "LAB_PASSWORD", hide_env_values = true, requires = "user",
          value_name = "PASSWORD", value_parser = Hushed::<Password>::new())]
    password: Option<Password>,

    /// The demo users, whose passwords are known.
    #[arg(long, env = "DEMO_USERS", hide_env_values = true, hide_default_value = true,
          default_value = DemoUsers::DEFAULT, value_name = "USERS",
          value_parser = Hushed::<DemoUsers>::new())]
    demo_users: DemoUsers,
}

impl Token {
    /// Signs in, and prints an access token and nothing else.
    pub async fn show(self) -> anyhow::Result<ExitCode> {
        let Some((username, password)) = self.credentials() else {
            let names: Vec<_> = self.demo_users.iter().map(|user| user.name.as_str()).collect();
            eprintln!("that is none of the demo users: {}", names.join(", "));
            eprintln!("of somebody else, say --user NAME --password PASSWORD");
            return Ok(ExitCode::from(BAD_INPUT));
        };
        let url = format!("{}/auth/login", self.url.trim_end_matches('/'));
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let form = json!({"username": username, "password": password.expose()});
        let answer = client.post(&url).json(&form).send().await;
        let answer = answer.with_context(|| format!("there is no shop at {}", self.url))?;
        let status = answer.status();
        let body: Value = answer.json().await.context("cannot read the shop's answer")?;
        match (status, body["access_token"].as_str()) {
            (StatusCode::OK, Some(token)) => {
                println!("{token}");
                Ok(ExitCode::SUCCESS)
            }
            _ => {
                let why =
                    [&body["title"], &body["detail"]].map(|text| text.as_str().unwrap_or("?"));
                eprintln!("{username} is not signed in: {}", why.join(": "));
                Ok(ExitCode::FAILURE)
            }
        }
    }

    /// Who signs in, with which password.
    fn credentials(&self) -> Option<(String, Password)> {
        let users = &self.demo_users;
        let known = match (&self.user, &self.password, self.role) {
            (Some(name), Some(password), _) => return Some((name.clone(), password.clone())),
            (Some(name), None, _) => users.named(name),
            (None, _, role) => users.of(role.unwrap_or(Role::Customer)).next(),
        };
        known.map(|user| (user.name.to_string(), user.password.clone()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        token: Token,
    }

    fn credentials(arguments: &[&str]) -> Option<(String, String)> {
        let users = ["--demo-users", "ada:customer:analytical,root:admin:keep-it-running"];
        let arguments = ["token"].iter().chain(&users).chain(arguments);
        let found = Cli::parse_from(arguments).token.credentials();
        found.map(|(name, password)| (name, password.expose().to_owned()))
    }

    #[test]
    fn whose_token_it_is_can_be_said_in_many_ways() {
        let ada = Some(("ada".to_owned(), "analytical".to_owned()));
        let root = Some(("root".to_owned(), "keep-it-running".to_owned()));
        assert_eq!(credentials(&[]), ada);
        assert_eq!(credentials(&["--user", "ada"]), ada);
        assert_eq!(credentials(&["--role", "customer"]), ada);
        assert_eq!(credentials(&["--role", "admin"]), root);
        assert_eq!(credentials(&["--user", "root"]), root);
        let eve = Some(("eve".to_owned(), "let-me-in".to_owned()));
        assert_eq!(credentials(&["--user", "eve", "--password", "let-me-in"]), eve);
        assert_eq!(credentials(&["--user", "eve"]), None);
        assert_eq!(credentials(&["--role", "service"]), None);
    }
}
