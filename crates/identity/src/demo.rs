//! The users of the lab, whose passwords everybody may read in the README.

use std::str::FromStr;

use contract::order::CustomerId;

use crate::{Role, secret::Password};

/// The shortest password that a user is made with, in bytes.
const SHORTEST: usize = 8;

/// Users, as a setting lists them: `name:role:password`, with commas between.
#[derive(Clone, Debug, Default)]
pub struct DemoUsers(Vec<DemoUser>);

/// One of them.
#[derive(Clone, Debug)]
pub struct DemoUser {
    /// What they sign in with; their customer id, too.
    pub name: CustomerId,
    /// What they are.
    pub role: Role,
    /// What they sign in with.
    pub password: Password,
}

impl DemoUsers {
    /// Those that there are unless others are asked for.
    pub const DEFAULT: &str = "ada:customer:analytical,grace:customer:nanosecond,\
                               linus:customer:just-for-fun,margaret:customer:apollo-eleven,\
                               admin:admin:keep-it-running";

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &DemoUser> {
        self.0.iter()
    }

    /// Those who are this.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &DemoUser> {
        self.0.iter().filter(move |user| user.role == role)
    }

    /// The list as a setting, for whoever hands it on to a child process.
    pub fn expose(&self) -> String {
        let users = self.0.iter();
        let users = users.map(|DemoUser { name, role, password }| {
            format!("{name}:{role}:{}", password.expose())
        });
        users.collect::<Vec<_>>().join(",")
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&DemoUser> {
        self.0.iter().find(|user| user.name.as_str() == name)
    }
}

impl FromStr for DemoUsers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let listed = text.split(',').map(str::trim).filter(|user| !user.is_empty());
        let users: Vec<DemoUser> = listed.map(str::parse).collect::<Result<_, _>>()?;
        let twice =
            |user: &&DemoUser| users.iter().filter(|other| other.name == user.name).count() > 1;
        match users.iter().find(twice) {
            Some(user) => Err(format!("there are two users called {}", user.name)),
            None => Ok(Self(users)),
        }
    }
}

/// Problems name the user and never say what was read, which has a password in it.
impl FromStr for DemoUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(name), Some(role), Some(password)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("a user is name:role:password".to_owned());
        };
        let name =
            CustomerId::parse("the name of a user", name).map_err(|error| error.to_string())?;
        let role = match role {
            "customer" => Role::Customer,
            "admin" => Role::Admin,
            _ => return Err(format!("the role of {name} must be customer or admin")),
        };
        let password = Password::parse(password.to_owned())
            .filter(|password| password.expose().len() >= SHORTEST)
            .ok_or_else(|| format!("the password of {name} needs {SHORTEST} to 128 bytes"))?;
        Ok(Self { name, role, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_in_their_order() {
        let users: DemoUsers = "ada:customer:analytical, root:admin:a:b:c:d:e".parse().unwrap();
        let read: Vec<_> = users
            .iter()
            .map(|user| (user.name.as_str(), user.role, user.password.expose()))
            .collect();
        let expected = [("ada", Role::Customer, "analytical"), ("root", Role::Admin, "a:b:c:d:e")];
        assert_eq!(read, expected);
        assert_eq!(users.expose(), "ada:customer:analytical,root:admin:a:b:c:d:e");
        assert_eq!("".parse::<DemoUsers>().unwrap().iter().count(), 0);
        assert!(!format!("{users:?}").contains("analytical"));
    }

    #[test]
    fn a_list_that_is_wrong_is_refused_without_a_word_of_its_passwords() {
        for bad in [
            "ada:analytical",
            "ada",
            "a b:customer:analytical",
            "ada:service:analytical",
            "ada:customer:analyti",
            "ada:customer:",
            "ada:customer:analytical,ada:admin:analytical",
        ] {
            let problem = bad.parse::<DemoUsers>().unwrap_err();
            assert!(!problem.contains("analyti"), "{problem}");
        }
    }

    #[test]
    fn there_are_customers_and_an_admin_by_default() {
        let users: DemoUsers = DemoUsers::DEFAULT.parse().unwrap();
        assert!(users.of(Role::Customer).count() >= 3);
        assert_eq!(users.named("admin").unwrap().role, Role::Admin);
    }
}
