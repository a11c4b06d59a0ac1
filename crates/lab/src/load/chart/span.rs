//! From numbers to places.

/// How numbers become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From 0 on, evenly.
    Linear,
    /// Each power of ten takes the same room.
    Logarithmic,
}

/// From numbers to places on one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: f64,
    to: f64,
    scale: Scale,
    start: f64,
    end: f64,
}

impl Span {
    pub(super) fn new(from: f64, to: f64, scale: Scale, start: f64, end: f64) -> Self {
        Self { from, to, scale, start, end }
    }

    pub(super) fn place(self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => {
                (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
            }
        };
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    pub(super) fn width(self) -> f64 {
        self.end - self.start
    }

    pub(super) fn ticks(self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = step(self.to);
                (0..=(self.to / step + 1e-9) as usize).map(|index| index as f64 * step).collect()
            }
            Scale::Logarithmic => {
                let powers = (self.to / self.from).log10().round() as i32;
                (0..=powers).map(|power| self.from * 10_f64.powi(power)).collect()
            }
        }
    }
}

/// A round number that goes into `highest` about five times.
pub(super) fn step(highest: f64) -> f64 {
    let rough = (highest / 5.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= rough);
    if highest > 0.0 { round.unwrap_or(10.0) * power } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_about_five() {
        for (highest, round) in [(7.0, 2.0), (48.0, 10.0), (230.0, 50.0), (0.9, 0.2), (0.0, 1.0)] {
            assert!((step(highest) - round).abs() < 1e-9, "{highest}: {}", step(highest));
        }
    }

    #[test]
    fn a_logarithmic_axis_gives_each_power_of_ten_the_same_room() {
        let span = Span::new(0.001, 1.0, Scale::Logarithmic, 300.0, 0.0);
        let places: Vec<_> = span.ticks().iter().map(|tick| span.place(*tick).round()).collect();
        assert_eq!(places, [300.0, 200.0, 100.0, 0.0]);
        assert_eq!(span.place(1e-9), 300.0, "what is below the axis lies on it");
    }
}
