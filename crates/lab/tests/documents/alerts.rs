//! The alerts: each says what it is and where to read on, and each is tested.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::repository;

/// One rule of Prometheus: an alert, or a query with a name.
#[derive(Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) alert: Option<String>,
    pub(crate) record: Option<String>,
    pub(crate) expr: String,
    #[serde(rename = "for")]
    pub(crate) lasting: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    promql_expr_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    expr: String,
    exp_samples: Vec<serde_yaml_ng::Value>,
}

impl Rule {
    pub(crate) fn severity(&self) -> &str {
        self.labels.get("severity").map_or("", String::as_str)
    }

    fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }
}

/// Every rule there is.
pub(crate) fn rules() -> Vec<Rule> {
    let files: Vec<RuleFile> = repository::yaml("prometheus/rules");
    files.into_iter().flat_map(|file| file.groups).flat_map(|group| group.rules).collect()
}

/// The alerts by name, each with its rules: one for each severity.
pub(crate) fn alerts() -> BTreeMap<String, Vec<Rule>> {
    let mut alerts = BTreeMap::<_, Vec<_>>::new();
    for rule in rules() {
        if let Some(name) = &rule.alert {
            alerts.entry(name.clone()).or_default().push(rule);
        }
    }
    alerts
}

#[test]
fn every_alert_says_what_it_is_and_where_to_read_on() {
    let dashboards: Vec<_> = dashboards::all().iter().map(|dashboard| dashboard.uid).collect();
    let alerts = alerts();
    assert!(alerts.len() >= 32, "only {} alerts", alerts.len());
    for (name, rules) in &alerts {
        for rule in rules {
            assert!(["page", "ticket"].contains(&rule.severity()), "{name} has no severity");
            assert!(!rule.annotation("summary").is_empty(), "{name} has no summary");
            let description = rule.annotation("description");
            let speaks = description.contains("{{ $value") || is_yes_or_no(&rule.expr);
            assert!(speaks, "the description of {name} does not say the value");
            let runbook = format!("http://localhost:4000/runbooks/{name}");
            assert_eq!(rule.annotation("runbook_url"), runbook, "{name}");
            let uid = rule.annotation("dashboard_url").strip_prefix("http://localhost:3001/d/");
            let uid = uid.unwrap_or_else(|| panic!("{name} has no dashboard_url"));
            assert!(dashboards.contains(&uid), "{name} leads to {uid}, which is no dashboard");
        }
    }
}

#[test]
fn an_alert_has_each_severity_once() {
    for (name, rules) in alerts() {
        let mut severities: Vec<_> = rules.iter().map(Rule::severity).collect();
        severities.dedup();
        assert_eq!(severities.len(), rules.len(), "{name}");
    }
}

#[test]
fn every_alert_is_silent_in_one_expectation_and_fires_in_another() {
    let files: Vec<TestFile> = repository::yaml("prometheus/tests");
    let scenarios: Vec<_> = files.into_iter().flat_map(|file| file.tests).collect();
    for (name, rules) in alerts() {
        for rule in &rules {
            let severity = (rules.len() > 1).then_some(rule.severity());
            let tested = scenarios.iter().any(|scenario| scenario.tests(&name, severity));
            assert!(tested, "no test lets {name} {} be silent and fire", rule.severity());
        }
    }
}

impl Scenario {
    /// Whether it lets this alert first be silent, then fire.
    fn tests(&self, name: &str, severity: Option<&str>) -> bool {
        let name = format!("alertname=\"{name}\"");
        let severity = severity.map(|severity| format!("severity=\"{severity}\""));
        let about = |step: &&Expectation| step.expr.contains(&name);
        let silent = |step: &Expectation| step.exp_samples.is_empty();
        let fires = |step: &Expectation| {
            let firing =
                step.expr.contains("alertstate=\"firing\"") && !step.exp_samples.is_empty();
            firing && severity.as_ref().is_none_or(|severity| step.expr.contains(severity))
        };
        let mut steps = self.promql_expr_test.iter().filter(about);
        steps.any(silent) && steps.any(fires)
    }
}

/// Whether all that there is to say of the value is that there is one.
fn is_yes_or_no(expr: &str) -> bool {
    expr.contains("== 0") || expr.contains("== 1")
}

#[test]
fn a_test_that_never_fires_is_none() {
    let yaml = |samples: &str| {
        let text = format!(
            "promql_expr_test:
  - {{expr: 'ALERTS{{alertname=\"A\"}}', exp_samples: []}}
  - {{expr: 'ALERTS{{alertname=\"A\", alertstate=\"firing\"}}', exp_samples: {samples}}}"
        );
        serde_yaml_ng::from_str::<Scenario>(&text).unwrap()
    };
    assert!(yaml("[{value: 1}]").tests("A", None));
    assert!(!yaml("[]").tests("A", None));
    assert!(!yaml("[{value: 1}]").tests("A", Some("page")));
    assert!(!yaml("[{value: 1}]").tests("B", None));
}
