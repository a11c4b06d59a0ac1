//! The names of metrics in rules and runbooks: each is of something that is exposed, with labels
//! that it has and values that these take.

use std::{collections::BTreeMap, convert::Infallible};

use instrumentation::metrics::{Declaration, Kind};
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};

use crate::{
    alerts,
    catalogue::{FOREIGN, LAB, OF_ALL, SERVICES, SHARED},
    repository, runbooks,
};

/// What other programs expose and what Prometheus makes itself, as the dashboards know it.
const ELSEWHERE: &str = "crates/dashboards/tests/known-metrics.txt";

/// Series that can be asked for, by name.
struct Known {
    declared: BTreeMap<String, Declared>,
    others: Vec<String>,
}

/// What is wrong with the metrics of a query.
pub(crate) fn complaints(query: &str) -> Vec<String> {
    Known::all().complaints(query)
}

/// A series of ours; who expose it may each have values of their own for a label.
#[derive(Default)]
struct Declared {
    declarations: Vec<&'static Declaration>,
    jobs: Vec<&'static str>,
}

impl Known {
    fn all() -> Self {
        let mut known = Self { declared: BTreeMap::new(), others: Vec::new() };
        for process in SERVICES.iter().chain([&LAB]) {
            for declaration in process.catalogues.iter().copied().flatten().chain(OF_ALL) {
                known.declare(process.name, declaration);
            }
        }
        for service in SERVICES {
            SHARED.iter().for_each(|declaration| known.declare(service.name, declaration));
        }
        let recorded = alerts::rules().into_iter().filter_map(|rule| rule.record);
        let elsewhere = repository::read(ELSEWHERE);
        let named = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let elsewhere = elsewhere.lines().filter(named).map(str::to_owned);
        let foreign = FOREIGN.iter().map(|metric| metric.name.to_owned());
        known.others = recorded.chain(elsewhere).chain(foreign).collect();
        known
    }

    fn declare(&mut self, job: &'static str, declaration: &'static Declaration) {
        let endings: &[&str] = match declaration.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        for ending in endings {
            let series = format!("{}{ending}", declaration.name);
            let declared = self.declared.entry(series).or_default();
            declared.declarations.push(declaration);
            declared.jobs.push(job);
        }
    }

    /// What is wrong with the metrics of a query.
    fn complaints(&self, query: &str) -> Vec<String> {
        let expr = match parser::parse(query) {
            Ok(expr) => expr,
            Err(error) => return vec![format!("{query}: {error}")],
        };
        let mut selectors = Selectors(Vec::new());
        let Ok(_) = walk_expr(&mut selectors, &expr);
        selectors.0.iter().flat_map(|selector| self.of_selector(selector)).collect()
    }

    fn of_selector(&self, selector: &VectorSelector) -> Vec<String> {
        let matchers = &selector.matchers.matchers;
        let by_name = matchers.iter().find(|matcher| matcher.name == "__name__");
        let names = match (&selector.name, by_name) {
            (Some(name), _) => vec![name.as_str()],
            (None, Some(matcher)) => matcher.value.split('|').collect(),
            (None, None) => Vec::new(),
        };
        names.into_iter().flat_map(|name| self.of_series(name, matchers)).collect()
    }

    fn of_series(&self, name: &str, matchers: &[Matcher]) -> Vec<String> {
        let Some(declared) = self.declared.get(name) else {
            let known = self.others.iter().any(|other| other == name);
            return if known { Vec::new() } else { vec![format!("nobody exposes {name}")] };
        };
        let labels = matchers.iter().filter(|matcher| matcher.name != "__name__");
        labels.filter_map(|matcher| declared.of_label(name, matcher)).collect()
    }

    fn has(&self, name: &str) -> bool {
        let mut declarations = self.declared.values().flat_map(|series| &series.declarations);
        let mut declared = || declarations.any(|declaration| declaration.name == name);
        self.declared.contains_key(name)
            || self.others.iter().any(|other| other == name)
            || declared()
    }
}

impl Declared {
    fn of_label(&self, series: &str, matcher: &Matcher) -> Option<String> {
        let values = match matcher.name.as_str() {
            "instance" => return None,
            "le" if series.ends_with("_bucket") => return None,
            "job" => self.jobs.clone(),
            label => {
                let values: Vec<_> =
                    self.declarations.iter().flat_map(|one| values(one, label)).collect();
                if values.is_empty() {
                    return Some(format!("{series} has no label {label}"));
                }
                values
            }
        };
        let missing = missing(matcher, &values)?;
        Some(format!("{} of {series} is never {missing}", matcher.name))
    }
}

/// What a label may be, if there is such a label.
fn values(declaration: &Declaration, label: &str) -> Vec<&'static str> {
    let place = (declaration.labels)().iter().position(|name| *name == label);
    let series = (declaration.series)().into_iter();
    place.map_or_else(Vec::new, |place| series.map(|values| values[place]).collect())
}

/// A value that is asked for and that the label never takes.
fn missing(matcher: &Matcher, values: &[&str]) -> Option<String> {
    let known = |value: &str| value.is_empty() || values.contains(&value);
    match &matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => {
            (!known(&matcher.value)).then(|| matcher.value.clone())
        }
        MatchOp::Re(regex) | MatchOp::NotRe(regex) => {
            let literal = |part: &&str| !part.contains(['.', '*', '+', '[', '(', '\\']);
            let part = matcher.value.split('|').filter(literal).find(|part| !known(part));
            let none = !values.iter().any(|value| regex.is_match(value));
            part.map(str::to_owned).or_else(|| none.then(|| matcher.value.clone()))
        }
    }
}

/// Collects the selectors of a query.
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(range) => self.0.push(range.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

#[test]
fn every_metric_of_a_rule_is_exposed() {
    let known = Known::all();
    for rule in alerts::rules() {
        let name = rule.alert.as_ref().or(rule.record.as_ref()).expect("a rule has a name");
        let complaints = known.complaints(&rule.expr);
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
    }
}

#[test]
fn every_metric_of_a_runbook_is_exposed() {
    let known = Known::all();
    for runbook in runbooks::all() {
        let name = &runbook.name;
        for query in runbook.queries() {
            let complaints = known.complaints(&query);
            assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        }
        for word in runbook.code_words().filter(|word| looks_like_a_metric(word)) {
            assert!(known.has(&word), "{name}: nobody exposes {word}");
        }
    }
}

/// Whether a word in backticks can only be meant as a metric: `pg_…` may be a view of Postgres.
fn looks_like_a_metric(word: &str) -> bool {
    let families = [
        "container",
        "db",
        "fulfillment",
        "fulfillments",
        "grpc",
        "http",
        "instance",
        "job",
        "lab",
        "log",
        "network",
        "node",
        "orders",
        "outbox",
        "process",
        "prometheus",
        "provider",
        "rabbitmq",
        "runtime",
        "scrape",
        "stock",
        "telemetry",
        "traces",
    ];
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte);
    word.bytes().all(plain)
        && word.split_once('_').is_some_and(|(family, _)| families.contains(&family))
        || word.contains(':') && word.bytes().all(plain)
}

#[test]
fn a_name_a_label_or_a_value_that_nobody_exposes_is_found() {
    let known = Known::all();
    let first = |query: &str| known.complaints(query).into_iter().next();
    assert_eq!(first(r#"rate(outbox_publishes_total{result="confirmed"}[1m])"#), None);
    assert_eq!(first("outbox_depths").as_deref(), Some("nobody exposes outbox_depths"));
    let whole = first("rate(outbox_delay_seconds[1m])");
    assert_eq!(
        whole.as_deref(),
        Some("nobody exposes outbox_delay_seconds"),
        "a histogram has none"
    );
    let label = first(r#"outbox_depth{queue="x"}"#);
    assert_eq!(label.as_deref(), Some("outbox_depth has no label queue"));
    let value = first(r#"outbox_publishes_total{result=~"confirmed|lost"}"#);
    assert_eq!(value.as_deref(), Some("result of outbox_publishes_total is never lost"));
    let job = first(r#"outbox_depth{job="web-gateway"}"#);
    assert_eq!(job.as_deref(), Some("job of outbox_depth is never web-gateway"));
    assert!(first("sum(").is_some());
}
