//! The declaration of a metric, and the macro that makes a catalogue of them.

/// What a metric counts in; base units only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share, 0 to 1.
    Ratio,
    /// Minor units of the shop's currency: cents of EUR.
    Minor,
}

impl Unit {
    /// The unit in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Minor => "minor currency units",
        }
    }

    /// The upper bounds of a histogram's buckets.
    pub fn buckets(self) -> &'static [f64] {
        match self {
            Self::Seconds => SECONDS,
            Self::Bytes => BYTES,
            Self::Minor => MINOR,
            Self::Count => COUNTS,
            Self::Ratio => RATIOS,
        }
    }
}

/// Steps of a quarter where healthy requests are (0.5 ms to 0.5 s), so that their percentiles are
/// read off within 10%; wider ones above, where only the size of the trouble matters.
const SECONDS: &[f64] = &[
    0.0005, 0.00064, 0.0008, 0.001, 0.00125, 0.0016, 0.002, 0.0025, 0.0032, 0.004, 0.005, 0.0064,
    0.008, 0.01, 0.0125, 0.016, 0.02, 0.025, 0.032, 0.04, 0.05, 0.064, 0.08, 0.1, 0.125, 0.16, 0.2,
    0.25, 0.32, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
const BYTES: &[f64] = &[
    64.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    2048.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
];
const COUNTS: &[f64] = &[1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
const MINOR: &[f64] =
    &[500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0, 1_000_000.0];
const RATIOS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over buckets.
    Histogram,
}

/// One metric, as declared.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The exposed name, whole.
    pub name: &'static str,
    /// The help text: a sentence.
    pub help: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: fn() -> Vec<&'static str>,
    /// The values of its labels, for each of its series.
    pub series: fn() -> Vec<Vec<&'static str>>,
}

/// Declares a struct of metrics and its `CATALOGUE`; see [`mod@crate::metrics`].
///
/// Metrics that several services have, each with labels of its own, are declared once, in a struct
/// with a parameter for the labels: `pub struct Metrics<Peer> { … }`.
#[macro_export]
macro_rules! metrics {
    (
        $(#[doc = $doc:literal])*
        $visibility:vis struct $name:ident $(<$parameter:ident>)? {
            $(
                #[doc = $help:literal]
                $metric:ident: $family:ident<$labels:ty>, $unit:ident;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $visibility struct $name $(<$parameter>)? {
            $(
                #[doc = $help]
                $visibility $metric: $crate::metrics::$family<$labels>,
            )*
        }

        impl $(<$parameter: $crate::metrics::LabelSet>)? $name $(<$parameter>)? {
            /// The declarations, in order.
            $visibility const CATALOGUE: &'static [$crate::metrics::Declaration] = &[$(
                $crate::metrics::Declaration {
                    name: stringify!($metric),
                    help: $help.trim_ascii(),
                    unit: $crate::metrics::Unit::$unit,
                    kind: <$crate::metrics::$family<$labels>
                        as $crate::metrics::Family>::KIND,
                    labels: <$labels as $crate::metrics::LabelSet>::names,
                    series: <$labels as $crate::metrics::LabelSet>::series,
                },
            )*];

            /// Creates every series, at 0.
            $visibility fn register(registry: &$crate::metrics::Registry) -> Self {
                let mut declarations = Self::CATALOGUE.iter();
                Self {$(
                    $metric: $crate::metrics::Family::register(
                        registry,
                        declarations.next().expect("the catalogue has every field"),
                    ),
                )*}
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};
    use rand_distr::{Distribution as _, LogNormal};

    use super::*;

    /// What `histogram_quantile` makes of the buckets: linear within the one that it falls into.
    fn read_off(buckets: &[f64], sorted: &[f64], quantile: f64) -> f64 {
        let rank = quantile * sorted.len() as f64;
        let below = |bound: f64| sorted.partition_point(|value| *value <= bound) as f64;
        let index = buckets.partition_point(|bound| below(*bound) < rank);
        let lower = if index == 0 { 0.0 } else { buckets[index - 1] };
        let (upper, under) = (buckets[index], if index == 0 { 0.0 } else { below(lower) });
        lower + (upper - lower) * (rank - under) / (below(upper) - under)
    }

    #[test]
    fn percentiles_of_healthy_requests_are_read_off_within_ten_percent() {
        let mut rng = StdRng::seed_from_u64(1);
        for median in [0.001, 0.002, 0.005, 0.008, 0.013, 0.025, 0.06, 0.11] {
            for spread in [0.3_f64, 0.5, 0.8] {
                let shape = LogNormal::new(f64::ln(median), spread).unwrap();
                let mut times: Vec<f64> = (0..20_000).map(|_| shape.sample(&mut rng)).collect();
                times.sort_by(f64::total_cmp);
                for quantile in [0.5, 0.95, 0.99] {
                    let exact = times[(quantile * times.len() as f64) as usize];
                    let error = read_off(SECONDS, &times, quantile) / exact - 1.0;
                    assert!(
                        error.abs() < 0.1,
                        "{median} s, spread {spread}: q{quantile} {error:+.3}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_promised_bounds_are_there() {
        for bound in [0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0] {
            assert!(SECONDS.contains(&bound), "{bound}");
        }
    }
}
