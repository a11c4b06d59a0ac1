//! A counter whose label cannot list its values: the exception to the rule of this module.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard},
};

use uuid::Uuid;

use super::registry::Registry;

/// A counter by an id. It is in no catalogue and no recorder: it is shown as it is, for as long as
/// it has series, and each series is there for as long as somebody holds on to it.
#[derive(Clone, Debug)]
pub struct Unlisted(Arc<Family>);

/// One series of an [`Unlisted`] counter; gone when it is dropped.
#[must_use = "dropping it takes it back"]
#[derive(Debug)]
pub struct Series {
    family: Arc<Family>,
    id: Uuid,
}

#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    counts: Mutex<BTreeMap<Uuid, u64>>,
}

impl Unlisted {
    /// A counter without any series.
    pub fn register(
        registry: &Registry,
        name: &'static str,
        help: &'static str,
        label: &'static str,
    ) -> Self {
        let family = Arc::new(Family { name, help, label, counts: Mutex::default() });
        registry.show_unlisted(Arc::clone(&family));
        Self(family)
    }

    /// Counts one more of this id.
    pub fn count(&self, id: Uuid) -> Series {
        *self.0.counts().entry(id).or_default() += 1;
        Series { family: Arc::clone(&self.0), id }
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        self.family.counts().remove(&self.id);
    }
}

impl Family {
    /// Adds its series to the Prometheus text.
    pub(super) fn show(&self, text: &mut String) {
        let Self { name, help, label, .. } = self;
        let counts = self.counts();
        if counts.is_empty() {
            return;
        }
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (id, count) in counts.iter() {
            let _ = writeln!(text, "{name}{{{label}=\"{id}\"}} {count}");
        }
        text.push('\n');
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Uuid, u64>> {
        self.counts.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_shown_for_as_long_as_it_is_held() {
        let registry = Registry::new("test", &[]);
        let by_order = Unlisted::register(&registry, "done_total", "Things done.", "id");
        assert!(!registry.render().contains("done_total"));

        let series = by_order.count(Uuid::nil());
        let line = "done_total{id=\"00000000-0000-0000-0000-000000000000\"} 1\n";
        assert!(registry.render().contains(line));
        assert!(registry.render_open_metrics().contains("# TYPE done counter\n"));

        drop(series);
        assert!(!registry.render().contains("done_total"));
    }
}
