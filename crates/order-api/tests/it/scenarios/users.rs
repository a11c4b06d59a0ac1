//! Who may sign in.

use contract::order::CustomerId;
use identity::{Caller, Role};
use order_api::store::User;

use crate::database::Database;

fn user(name: &str, role: Role, password_hash: &str) -> User {
    let subject = CustomerId::parse("name", name).unwrap();
    User { caller: Caller { subject, role }, password_hash: password_hash.to_owned() }
}

pub(crate) async fn the_first_users_are_made_once(database: &Database) {
    let Database { store, other, .. } = database;
    assert!(!store.has_users().await.unwrap());
    let ours = [user("ada", Role::Customer, "a"), user("root", Role::Admin, "b")];
    let theirs = [user("ada", Role::Admin, "c"), user("eve", Role::Admin, "d")];
    let (one, two) = tokio::join!(store.add_first_users(&ours), other.add_first_users(&theirs));
    one.unwrap();
    two.unwrap();
    assert!(store.has_users().await.unwrap());

    let made = database.number("SELECT COUNT(*) FROM users").await;
    store.add_first_users(&[user("late", Role::Admin, "e")]).await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM users").await, made, "nobody comes later");
    assert_eq!(database.number("SELECT COUNT(*) FROM users WHERE username = 'ada'").await, 1);
}

pub(crate) async fn a_user_is_found_by_their_whole_name(database: &Database) {
    let users = [user("ada", Role::Customer, "a"), user("root", Role::Admin, "b")];
    database.store.add_first_users(&users).await.unwrap();
    let find = async |name: &str| {
        let found = database.store.user(&CustomerId::parse("name", name).unwrap()).await.unwrap();
        found.map(|user| (user.caller.role, user.password_hash))
    };
    assert_eq!(find("ada").await, Some((Role::Customer, "a".to_owned())));
    assert_eq!(find("root").await, Some((Role::Admin, "b".to_owned())));
    for nobody in ["Ada", "ad", "adaa", "a.a", "_da"] {
        assert_eq!(find(nobody).await, None, "{nobody}");
    }
}
