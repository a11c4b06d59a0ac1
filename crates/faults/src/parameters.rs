//! What a learner may set of a fault, parsed and checked.

use std::{fmt, time::Duration};

/// How long a fault stays on if nothing else is said.
pub const DEFAULT_FOR: Duration = Duration::from_secs(10 * 60);
/// The longest a fault may stay on.
pub const LONGEST_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing that can be set: a number in a range.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// What it is called, as in `ms=800`.
    pub name: &'static str,
    /// What it is, in a phrase.
    pub meaning: &'static str,
    /// Its value if it is not set.
    pub default: f64,
    /// Its least value.
    pub min: f64,
    /// Its greatest value.
    pub max: f64,
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, meaning, default, min, max } = self;
        write!(f, "{name}={default} ({meaning}, {min} to {max})")
    }
}

/// Settings of a fault that are complete and within their ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    values: Vec<(&'static str, f64)>,
    /// How long the fault stays on.
    pub lasts: Duration,
}

/// Why settings were not accepted; the text says what is possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; possible: {}", possible.join(", "))]
pub struct Rejected {
    /// What is wrong.
    pub problem: String,
    /// What can be set, each by itself.
    pub possible: Vec<String>,
}

impl Settings {
    /// Reads `name=value` pairs; what is not given has its default.
    pub fn parse<'a>(
        parameters: &[Parameter],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Rejected> {
        let mut settings = Self {
            values: parameters.iter().map(|known| (known.name, known.default)).collect(),
            lasts: DEFAULT_FOR,
        };
        for (name, value) in given {
            settings
                .set(parameters, name, value)
                .map_err(|problem| Rejected { problem, possible: possible(parameters) })?;
        }
        Ok(settings)
    }

    /// The value of a parameter that the fault declares.
    pub fn get(&self, name: &str) -> f64 {
        let value = self.values.iter().find(|(known, _)| *known == name);
        value.expect("a fault reads only the parameters it declares").1
    }

    fn set(&mut self, parameters: &[Parameter], name: &str, value: &str) -> Result<(), String> {
        if name == "for" {
            self.lasts = duration(value)?;
            return Ok(());
        }
        let index = parameters
            .iter()
            .position(|known| known.name == name)
            .ok_or_else(|| format!("there is no parameter {name:?}"))?;
        let Parameter { min, max, .. } = parameters[index];
        match value.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => {
                self.values[index].1 = number;
                Ok(())
            }
            _ => Err(format!("{name}={value} is not a number from {min} to {max}")),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.values {
            write!(f, "{name}={value} ")?;
        }
        write!(f, "for={}", humantime::format_duration(self.lasts))
    }
}

/// What can be set, each by itself.
pub fn possible(parameters: &[Parameter]) -> Vec<String> {
    let own = parameters.iter().map(Parameter::to_string);
    own.chain(["for=10m (how long, 1s to 24h)".to_owned()]).collect()
}

fn duration(value: &str) -> Result<Duration, String> {
    match humantime::parse_duration(value) {
        Ok(lasts) if (Duration::from_secs(1)..=LONGEST_FOR).contains(&lasts) => Ok(lasts),
        _ => Err(format!("for={value} is not a time from 1s to 24h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Parameter =
        Parameter { name: "ms", meaning: "median", default: 800.0, min: 1.0, max: 5000.0 };

    #[test]
    fn what_is_not_given_has_its_default() {
        let settings = Settings::parse(&[MS], [("for", "5m")]).unwrap();
        assert_eq!(settings.get("ms"), 800.0);
        assert_eq!(settings.lasts, Duration::from_secs(300));
    }

    #[test]
    fn what_is_not_possible_is_refused_with_what_is() {
        for (name, value) in
            [("ms", "0"), ("ms", "x"), ("ms", "NaN"), ("s", "1"), ("for", "0s"), ("for", "2d")]
        {
            let rejected = Settings::parse(&[MS], [(name, value)]).unwrap_err().to_string();
            assert!(rejected.contains("ms=800 (median, 1 to 5000)"), "{rejected}");
        }
    }
}
