//! Who may sign in.

use std::fmt;

use contract::order::CustomerId;
use identity::{Caller, Role};
use sqlx::QueryBuilder;

use super::{Store, now, session::Link};
use crate::error::Error;

/// Somebody who may sign in; their `Debug` does not show the hash.
#[derive(Clone)]
pub struct User {
    /// Who they are, once they have.
    pub caller: Caller,
    /// Their password, hashed by argon2, in PHC form.
    pub password_hash: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("caller", &self.caller).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    password_hash: String,
    #[sqlx(try_from = "String")]
    role: Role,
}

impl Store {
    /// The user of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn user(&self, name: &CustomerId) -> Result<Option<User>, Error> {
        let mut session = self.session().await?;
        let mut link = session.link();
        let row: Option<Row> = statement!(
            link,
            FindUser,
            fetch_optional,
            sqlx::query_as("SELECT password_hash, role FROM users WHERE username = $1")
                .bind(name.as_str())
        )?;
        Ok(row.map(|Row { password_hash, role }| User {
            caller: Caller { subject: name.clone(), role },
            password_hash,
        }))
    }

    /// Whether there are any users. No call asks, so that no call's connection is used.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_users(&self) -> Result<bool, Error> {
        self.in_time(async {
            let mut session = self.aside().await?;
            Ok(count(session.link()).await? > 0)
        })
        .await
    }

    /// Adds these users, all or none: none if there are any by now, for then another replica was
    /// faster.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_first_users(&self, users: &[User]) -> Result<(), Error> {
        self.in_time(async {
            let mut session = self.aside().await?;
            let mut unit = session.begin().await?;
            if count(unit.link()).await? == 0 {
                insert(unit.link(), users).await?;
            }
            unit.commit().await
        })
        .await
    }
}

async fn count(mut link: Link<'_>) -> Result<i64, Error> {
    let count = statement!(
        link,
        CountUsers,
        fetch_one,
        sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM users")
    )?;
    Ok(count)
}

async fn insert(mut link: Link<'_>, users: &[User]) -> Result<(), Error> {
    statement!(link, InsertUsers, on => {
        let mut insert = QueryBuilder::new(
            "INSERT INTO users (username, password_hash, role, created_at) ",
        );
        insert.push_values(users, |mut row, user| {
            row.push_bind(user.caller.subject.as_str())
                .push_bind(&user.password_hash)
                .push_bind(user.caller.role.as_str())
                .push_bind(now());
        });
        insert.push(" ON CONFLICT DO NOTHING");
        async move { insert.build().execute(on).await.map(|done| done.rows_affected()) }
    })?;
    Ok(())
}
