//! Settings that can be changed while a service runs: over its side port, until it ends.
//!
//! A service that starts again has the settings that it was started with.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, RwLock},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};

/// The path of the settings on every side port that has some.
pub const PATH: &str = "/control/settings";

/// A value that may be another one the next time; its clones are the same one.
#[derive(Debug, Default)]
pub struct Live<T>(Arc<RwLock<T>>);

/// What one setting is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What it is called: its flag without the dashes.
    pub name: String,
    /// What it is now.
    pub value: String,
    /// What it was when the service was started.
    pub started_with: String,
}

/// The settings of a service that can be changed while it runs.
#[derive(Debug, Default)]
pub struct Settings(Vec<Entry>);

/// One of them.
struct Entry {
    name: &'static str,
    started_with: String,
    show: Box<dyn Fn() -> String + Send + Sync>,
    read: Read,
}

/// Reads a value; what comes of it changes the setting.
type Read = Box<dyn Fn(&str) -> Result<Change, String> + Send + Sync>;
type Change = Box<dyn FnOnce() + Send>;

/// A value as it is written in a setting.
pub trait Value: Clone + Send + Sync + 'static {
    /// What would be read as this value.
    fn written(&self) -> String;
}

impl<T: Clone> Live<T> {
    /// A value that can be changed.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    /// What it is now.
    pub fn get(&self) -> T {
        self.0.read().expect("no holder of the lock panics").clone()
    }

    /// Changes it, for all its clones.
    pub fn change(&self, how: impl FnOnce(&mut T)) {
        how(&mut self.0.write().expect("no holder of the lock panics"));
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Value for Duration {
    fn written(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Value for f64 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Settings {
    /// With one more, that is a value by itself.
    #[must_use]
    pub fn with<T: Value>(
        self,
        name: &'static str,
        live: &Live<T>,
        parse: fn(&str) -> Result<T, String>,
    ) -> Self {
        self.with_part(name, live, parse, T::clone, |all, value| *all = value)
    }

    /// With one more, that is a part of a value.
    #[must_use]
    pub fn with_part<A: Clone + Send + Sync + 'static, T: Value>(
        mut self,
        name: &'static str,
        live: &Live<A>,
        parse: fn(&str) -> Result<T, String>,
        get: fn(&A) -> T,
        set: fn(&mut A, T),
    ) -> Self {
        let (shown, changed) = (live.clone(), live.clone());
        let show = Box::new(move || get(&shown.get()).written());
        let read = Box::new(move |text: &str| {
            let (value, live) = (parse(text)?, changed.clone());
            Ok(Box::new(move || live.change(|all| set(all, value))) as Change)
        });
        self.0.push(Entry { name, started_with: show(), show, read });
        self
    }

    /// What they are.
    pub fn all(&self) -> Vec<Setting> {
        self.0.iter().map(Entry::shown).collect()
    }

    /// Changes all that are given, or none.
    ///
    /// # Errors
    /// What is wrong: there is no such setting, or it cannot be that.
    pub fn change<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), String> {
        let read = given.into_iter().map(|(name, value)| {
            let entry = self.find(name)?;
            let change = (entry.read)(value);
            Ok((entry, change.map_err(|problem| format!("{name}={value}: {problem}"))?))
        });
        for (entry, change) in read.collect::<Result<Vec<_>, String>>()? {
            change();
            tracing::info!(setting = entry.name, value = (entry.show)(), "setting changed");
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&Entry, String> {
        self.0.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<_> = self.0.iter().map(|entry| entry.name).collect();
            format!("there is no setting {name:?}; there is {}", names.join(", "))
        })
    }
}

impl Entry {
    fn shown(&self) -> Setting {
        let (name, started_with) = (self.name.to_owned(), self.started_with.clone());
        Setting { name, value: (self.show)(), started_with }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.shown()).finish()
    }
}

/// `GET` lists them; `PUT` changes those that are named in a JSON object, and answers with all of
/// them, or 422 with what is wrong.
pub fn router(settings: Settings) -> Router {
    Router::new().route(PATH, get(list).put(change)).with_state(Arc::new(settings))
}

async fn list(State(settings): State<Arc<Settings>>) -> Json<Vec<Setting>> {
    Json(settings.all())
}

async fn change(
    State(settings): State<Arc<Settings>>,
    Json(given): Json<BTreeMap<String, String>>,
) -> Response {
    match settings.change(given.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
        Ok(()) => Json(settings.all()).into_response(),
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, problem).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Pair {
        limit: usize,
        share: f64,
    }

    fn number(text: &str) -> Result<usize, String> {
        text.parse().map_err(|_| "expected a number".to_owned())
    }

    fn time(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_setting_is_changed_for_all_who_read_it() {
        let deadline = Live::new(Duration::from_secs(5));
        let pair = Live::new(Pair { limit: 2, share: 0.5 });
        let settings = Settings::default().with("deadline", &deadline, time).with_part(
            "limit",
            &pair,
            number,
            |pair| pair.limit,
            |pair, limit| pair.limit = limit,
        );
        settings.change([("deadline", "300ms"), ("limit", "7")]).unwrap();
        assert_eq!(deadline.get(), Duration::from_millis(300));
        assert_eq!(pair.clone().get(), Pair { limit: 7, share: 0.5 });
        let [shown, _] = settings.all().try_into().unwrap();
        assert_eq!((shown.value.as_str(), shown.started_with.as_str()), ("300ms", "5s"));
    }

    #[test]
    fn what_cannot_be_changes_nothing_and_says_why() {
        let limit = Live::new(2);
        let settings = Settings::default().with("limit", &limit, number);
        let bad = settings.change([("limit", "3"), ("limit", "x")]).unwrap_err();
        assert_eq!(bad, "limit=x: expected a number");
        let unknown = settings.change([("limits", "1")]).unwrap_err();
        assert_eq!(unknown, r#"there is no setting "limits"; there is limit"#);
        assert_eq!(limit.get(), 2);
    }
}
