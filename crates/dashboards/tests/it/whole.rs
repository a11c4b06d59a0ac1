//! A dashboard has everything that a reader needs.

use std::collections::BTreeSet;

use dashboards::model::{COLUMNS, Dashboard, Kind, Panel};

/// What is wrong with any panel, told with its place.
fn complaints(wrong: impl Fn(&Panel) -> Option<String>) -> Vec<String> {
    let all = dashboards::all();
    let told = all.iter().flat_map(|dashboard| {
        dashboard.panels().filter_map(|panel| {
            let what = wrong(panel)?;
            Some(format!("{} / {}: {what}", dashboard.uid, panel.title))
        })
    });
    told.collect()
}

fn twice<T: Ord + Clone>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| !seen.insert(one.clone())).collect()
}

fn none<T: std::fmt::Debug>(complaints: &[T]) {
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn no_two_dashboards_share_a_uid_or_a_title() {
    let all = dashboards::all();
    none(&twice(all.iter().map(|dashboard| dashboard.uid)));
    none(&twice(all.iter().map(|dashboard| dashboard.title)));
}

#[test]
fn no_two_panels_or_rows_of_a_dashboard_share_a_title_or_an_id() {
    for dashboard in dashboards::all() {
        let rows = dashboard.rows.iter().map(|row| &row.title);
        none(&twice(rows.chain(dashboard.panels().map(|panel| &panel.title))));
        none(&twice(ids(&dashboard)));
    }
}

fn ids(dashboard: &Dashboard) -> Vec<u64> {
    let text = dashboards::grafana::render(dashboard);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = json["panels"].as_array().unwrap();
    panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect()
}

#[test]
fn every_link_leads_to_a_dashboard_and_none_to_itself() {
    let all = dashboards::all();
    let uids: BTreeSet<_> = all.iter().map(|dashboard| dashboard.uid).collect();
    for dashboard in &all {
        assert!(!dashboard.next.is_empty(), "{} leads nowhere", dashboard.uid);
        let links = dashboard.panels().filter_map(|panel| panel.next);
        for uid in links.chain(dashboard.next.iter().copied()) {
            assert!(uids.contains(uid), "{} leads to {uid}, which is nowhere", dashboard.uid);
            assert_ne!(uid, dashboard.uid, "leads to itself");
        }
    }
}

#[test]
fn every_panel_says_what_good_looks_like() {
    none(&complaints(|panel| {
        let said = panel.description.contains("Good:") || panel.description.contains("is good");
        let sentence = panel.description.ends_with('.');
        (!said || !sentence).then(|| format!("{:?}", panel.description))
    }));
}

#[test]
fn every_query_of_a_panel_has_a_legend_of_its_own() {
    none(&complaints(|panel| {
        let nameless = panel.targets.iter().any(|target| target.legend.is_empty());
        let same = !twice(panel.targets.iter().map(|target| &target.legend)).is_empty();
        (panel.targets.is_empty() || nameless || same).then(|| "queries without names".to_owned())
    }));
}

#[test]
fn every_picture_fits_its_line_and_its_kind() {
    none(&complaints(|panel| {
        let fits = panel.width > 0 && panel.width <= COLUMNS && panel.height >= 4;
        let columns = panel.targets.iter().all(|target| target.unit.is_some());
        let buckets = panel.targets.iter().all(|target| target.expr.contains("_bucket"));
        let drawable = match panel.kind {
            Kind::Table => columns,
            Kind::Heatmap => buckets && panel.targets.len() == 1,
            Kind::Timeline => !panel.meanings.is_empty(),
            Kind::Lines | Kind::Areas | Kind::Stat | Kind::Bars => true,
        };
        (!fits || !drawable).then(|| format!("{:?}", panel.kind))
    }));
}

#[test]
fn thresholds_ascend() {
    none(&complaints(|panel| {
        let bounds = panel.thresholds.iter().map(|step| step.from.unwrap_or(f64::MIN));
        let ascending = bounds.is_sorted();
        (!ascending).then(|| format!("{:?}", panel.thresholds))
    }));
}

#[test]
fn exemplars_are_asked_for_where_there_are_buckets() {
    none(&complaints(|panel| {
        let buckets = panel.targets.iter().any(|target| target.expr.contains("_seconds_bucket"));
        let drawn = matches!(panel.kind, Kind::Lines | Kind::Areas | Kind::Heatmap);
        let wrong = drawn && panel.exemplars && !buckets;
        wrong.then(|| "exemplars of nothing".to_owned())
    }));
}

#[test]
fn the_data_can_be_drawn_by_others() {
    let all = serde_json::to_value(dashboards::all()).unwrap();
    assert_eq!(all[0]["uid"], "start-here");
    assert_eq!(all[0]["rows"][0]["panels"][0]["kind"], "stat");
}
