//! A value that is kept for a while: asked for once however many want it, and shown a little old
//! rather than waited for.
//!
//! Fresh, it is shown as it is. Stale, it is shown all the same and asked for again behind the
//! answer, so that nobody waits, and while whoever has it is away there is still something to show.
//! When it is too old for that, or was never there, those who want it wait for one and the same
//! request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use instrumentation::{
    correlation::CorrelationId,
    metrics::Counter,
    trace::{Context, FutureExt as _},
};
use tokio::{sync::watch, time::Instant};

use crate::{error::Error, metrics::Looked};

/// A value that is kept; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Cache<T> {
    lifetime: Lifetime,
    looks: Counter<Looked>,
    shelf: Arc<Mutex<Shelf<T>>>,
}

/// How long a value is good for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// It is as good as new.
    pub(crate) fresh: Duration,
    /// After that, it is good enough until a newer one is there.
    pub(crate) stale: Duration,
}

/// A value, and when it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) at: Instant,
}

#[derive(Debug)]
struct Shelf<T> {
    kept: Option<Kept<T>>,
    /// What is being asked for, if something is.
    coming: Option<watch::Receiver<Option<Fetched<T>>>>,
}

type Fetched<T> = Result<Kept<T>, Arc<Error>>;

impl<T: Clone + Send + Sync + 'static> Cache<T> {
    pub(crate) fn new(lifetime: Lifetime, looks: Counter<Looked>) -> Self {
        let shelf = Arc::new(Mutex::new(Shelf { kept: None, coming: None }));
        Self { lifetime, looks, shelf }
    }

    /// The value; `fetch` gets it if it is not fresh and nobody is getting it already. That goes on
    /// when whoever has asked for it goes away: others may wait for it, and more will want it.
    pub(crate) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Kept<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut coming = match self.look(fetch) {
            Ok(kept) => return Ok(kept),
            Err(coming) => coming,
        };
        let fetched = match coming.wait_for(Option::is_some).await {
            Ok(fetched) => fetched.clone(),
            Err(_) => None,
        };
        // Nothing comes of a fetch that panicked.
        fetched.ok_or_else(|| Error::Panic("while fetching".to_owned()))?.map_err(Error::Shared)
    }

    /// A value of one's own: neither looked for nor kept.
    pub(crate) async fn pass<V>(
        &self,
        fetch: impl Future<Output = Result<V, Error>>,
    ) -> Result<V, Error> {
        self.looks.with(Looked::Miss).increment(1);
        fetch.await
    }

    /// What is there, if it is good enough, else what is to be waited for.
    fn look<F>(
        &self,
        fetch: impl FnOnce() -> F,
    ) -> Result<Kept<T>, watch::Receiver<Option<Fetched<T>>>>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut shelf = self.shelf.lock().expect("no holder of the lock panics");
        let age = shelf.kept.as_ref().map(|kept| kept.at.elapsed());
        let looked = match age {
            Some(age) if age < self.lifetime.fresh => Looked::Hit,
            Some(age) if age < self.lifetime.fresh + self.lifetime.stale => Looked::Stale,
            Some(_) | None => Looked::Miss,
        };
        self.looks.with(looked).increment(1);
        if looked != Looked::Hit && shelf.coming.is_none() {
            shelf.coming = Some(self.begin(fetch()));
        }
        match (&shelf.kept, looked, &shelf.coming) {
            (Some(kept), Looked::Hit | Looked::Stale, _) => Ok(kept.clone()),
            (_, _, coming) => Err(coming.clone().expect("it was begun if there was none")),
        }
    }

    /// Gets a new value, under the correlation id and in the trace of whoever wanted it first.
    fn begin(
        &self,
        fetch: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> watch::Receiver<Option<Fetched<T>>> {
        let (sender, coming) = watch::channel(None);
        let shelf = Coming(Arc::clone(&self.shelf));
        let id = CorrelationId::current().unwrap_or_else(CorrelationId::make);
        let fetching = id.scope(async move {
            let at = Instant::now();
            let fetched = fetch.await.map(|value| Kept { value, at }).map_err(Arc::new);
            shelf.put(fetched.as_ref().ok());
            sender.send_replace(Some(fetched));
        });
        tokio::spawn(fetching.with_context(Context::current()));
        coming
    }
}

/// A shelf for which something is being fetched; dropped, nothing is any more.
struct Coming<T>(Arc<Mutex<Shelf<T>>>);

impl<T: Clone> Coming<T> {
    fn put(&self, fetched: Option<&Kept<T>>) {
        if let Some(kept) = fetched {
            self.0.lock().expect("no holder of the lock panics").kept = Some(kept.clone());
        }
    }
}

impl<T> Drop for Coming<T> {
    fn drop(&mut self) {
        self.0.lock().expect("no holder of the lock panics").coming = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use instrumentation::metrics::Registry;
    use tokio::{
        task::JoinSet,
        time::{advance, sleep},
    };

    use super::*;
    use crate::metrics::CacheMetrics;

    const LIFETIME: Lifetime =
        Lifetime { fresh: Duration::from_secs(1), stale: Duration::from_secs(30) };
    /// What a fetch takes.
    const WHILE: Duration = Duration::from_millis(20);

    /// A cache of how often it was filled.
    struct World {
        cache: Cache<u32>,
        fetches: Arc<AtomicU32>,
        registry: Registry,
    }

    impl World {
        fn new() -> Self {
            let registry = Registry::new("test", &[CacheMetrics::CATALOGUE]);
            let metrics = CacheMetrics::register(&registry);
            let cache = Cache::new(LIFETIME, metrics.cache_requests_total);
            Self { cache, fetches: Arc::default(), registry }
        }

        async fn get(&self, works: bool) -> Result<u32, Error> {
            let fetches = Arc::clone(&self.fetches);
            let fetch = async move || {
                let number = fetches.fetch_add(1, Ordering::Relaxed) + 1;
                sleep(WHILE).await;
                if works { Ok(number) } else { Err(Error::Overloaded) }
            };
            self.cache.get(fetch).await.map(|kept| kept.value)
        }

        fn looked(&self, result: &str) -> bool {
            let text = self.registry.render();
            text.lines().any(|line| line == format!("cache_requests_total{{result={result}"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_fresh_is_not_asked_for_again() {
        let world = World::new();
        for _ in 0..5 {
            assert_eq!(world.get(true).await.unwrap(), 1);
        }
        assert!(world.looked(r#""hit"} 4"#) && world.looked(r#""miss"} 1"#));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stale_is_shown_at_once_and_asked_for_behind_the_answer() {
        let world = World::new();
        world.get(true).await.unwrap();
        advance(LIFETIME.fresh).await;
        let started = Instant::now();
        for _ in 0..3 {
            assert_eq!(world.get(true).await.unwrap(), 1);
        }
        assert_eq!(started.elapsed(), Duration::ZERO, "nobody waited");
        sleep(2 * WHILE).await;
        assert_eq!(world.get(true).await.unwrap(), 2, "one fetch was enough for three");
        assert!(world.looked(r#""stale"} 3"#) && world.looked(r#""hit"} 1"#));
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_want_what_is_not_there_wait_for_one_fetch() {
        let world = Arc::new(World::new());
        let mut wanting = JoinSet::new();
        for _ in 0..100 {
            let world = Arc::clone(&world);
            wanting.spawn(async move { world.get(true).await.unwrap() });
        }
        assert!(wanting.join_all().await.iter().all(|value| *value == 1));
        assert!(world.looked(r#""miss"} 100"#));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_there_is_shown_while_it_cannot_be_had_but_not_for_ever() {
        let world = World::new();
        world.get(true).await.unwrap();
        advance(LIFETIME.fresh).await;
        for _ in 0..5 {
            assert_eq!(world.get(false).await.unwrap(), 1);
            sleep(Duration::from_secs(5)).await;
        }
        sleep(Duration::from_secs(5)).await;
        let failed = world.get(false).await.unwrap_err();
        assert_eq!(failed.code(), Error::Overloaded.code());
        assert!(world.get(true).await.is_ok(), "a failure is not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_outlives_whoever_wanted_it_and_a_panic_ends_only_itself() {
        let world = Arc::new(World::new());
        let gone = Arc::clone(&world);
        let gone = tokio::spawn(async move { gone.get(true).await });
        sleep(WHILE / 2).await;
        gone.abort();
        assert_eq!(world.get(true).await.unwrap(), 1);

        advance(LIFETIME.fresh + LIFETIME.stale).await;
        let broken = world.cache.get(async || panic!("a defect")).await.unwrap_err();
        assert!(matches!(broken, Error::Shared(_) | Error::Panic(_)), "{broken:?}");
        assert_eq!(world.get(true).await.unwrap(), 2);
    }
}
