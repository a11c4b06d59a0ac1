//! `grafana/dashboards` is derived: a stale file is rewritten, and named.

use std::{collections::BTreeMap, fs, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../grafana/dashboards");

#[test]
fn grafana_has_the_dashboards_as_they_are_here() {
    let wanted: BTreeMap<_, _> = dashboards::all()
        .iter()
        .map(|dashboard| {
            (dashboards::grafana::file_name(dashboard), dashboards::grafana::render(dashboard))
        })
        .collect();
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder).unwrap();
    let mut changed: Vec<_> = wanted
        .iter()
        .filter(|(name, text)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(*text))
        .map(|(name, text)| {
            fs::write(folder.join(name), text).unwrap();
            name.clone()
        })
        .collect();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !wanted.contains_key(&name) {
            fs::remove_file(folder.join(&name)).unwrap();
            changed.push(name);
        }
    }
    assert!(changed.is_empty(), "rewritten, now commit: {changed:?}");
}
