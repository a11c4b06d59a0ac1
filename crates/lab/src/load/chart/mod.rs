//! Charts as SVG that needs nothing else: lines over an axis, or bars upon each other.

mod draw;
mod span;

pub(crate) use span::Scale;
use span::{Span, step};

/// The size of a chart, and what is left of it beside the picture itself.
const SIZE: (f64, f64) = (920.0, 300.0);
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 46.0;
/// How charts look, in the light and in the dark.
pub(crate) const STYLE: &str = include_str!("style.css");

/// One picture.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub(crate) title: &'a str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Lines across it that something is held against, with their names.
    pub(crate) bounds: Vec<(f64, String)>,
}

/// One direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    /// A number in words.
    pub(crate) show: fn(f64) -> String,
    pub(crate) scale: Scale,
}

/// What is drawn in one color.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// A class of the style.
    pub(crate) color: &'static str,
    pub(crate) shape: Shape,
    /// Places, ascending, and the values there; none is a gap.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    /// A line with a dot at each value.
    Dotted,
    /// A dashed line: what was wanted rather than what was had.
    Dashed,
    /// Bars upon those of the series before.
    Bars,
}

impl Chart<'_> {
    /// The picture, for a page that has [`STYLE`].
    pub(crate) fn svg(&self) -> String {
        self.draw("")
    }

    /// The picture as a file of its own.
    pub(crate) fn file(&self) -> String {
        self.draw(&format!(
            "<style>{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>"
        ))
    }

    fn draw(&self, before: &str) -> String {
        let (width, height) = SIZE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-label=\"{}\">{before}",
            escape(self.title)
        );
        let (x, y) = (self.span_x(), self.span_y());
        self.grid(&mut svg, x, y);
        self.bars(&mut svg, x, y);
        for series in self.series.iter().filter(|series| series.shape != Shape::Bars) {
            series.line(&mut svg, x, y);
        }
        self.held_against(&mut svg, y);
        self.legend(&mut svg);
        self.tips(&mut svg, x);
        svg.push_str("</svg>");
        svg
    }

    fn span_x(&self) -> Span {
        let places =
            self.series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
        let last = places.fold(0.0, f64::max);
        Span::new(0.0, last.max(1.0), self.x.scale, LEFT, SIZE.0 - RIGHT)
    }

    fn span_y(&self) -> Span {
        let bounds = self.bounds.iter().map(|bound| bound.0);
        let values =
            self.values().chain(bounds).chain(self.stacks().into_iter().map(|each| each.1));
        let highest = values.fold(0.0, f64::max);
        let (top, bottom) = (TOP, SIZE.1 - BOTTOM);
        match self.y.scale {
            Scale::Linear => {
                let step = step(highest);
                let to = ((highest / step).ceil() * step).max(step);
                Span::new(0.0, to, Scale::Linear, bottom, top)
            }
            Scale::Logarithmic => {
                let lowest = self.values().filter(|value| *value > 0.0).fold(highest, f64::min);
                let from = 10_f64.powf(lowest.max(1e-6).log10().floor());
                let to = 10_f64.powf(highest.log10().ceil()).max(from * 10.0);
                Span::new(from, to, Scale::Logarithmic, bottom, top)
            }
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.series.iter().flat_map(|series| series.points.iter().filter_map(|point| point.1))
    }

    /// How high the bars are together, place by place.
    fn stacks(&self) -> Vec<(f64, f64)> {
        let mut bars = self.series.iter().filter(|series| series.shape == Shape::Bars);
        let Some(first) = bars.next() else { return Vec::new() };
        let mut sums: Vec<_> =
            first.points.iter().map(|(x, value)| (*x, value.unwrap_or_default())).collect();
        for series in bars {
            let more = sums.iter_mut().zip(&series.points);
            more.for_each(|(sum, (_, value))| sum.1 += value.unwrap_or_default());
        }
        sums
    }
}

/// Text that means nothing to XML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_the_line_and_bars_stand_upon_each_other() {
        let axis = Axis { label: "<s>", show: |value| value.to_string(), scale: Scale::Linear };
        let series = |shape, values: [Option<f64>; 3]| Series {
            name: "one".to_owned(),
            color: "blue",
            shape,
            points: values.into_iter().enumerate().map(|(x, value)| (x as f64, value)).collect(),
        };
        let chart = Chart {
            title: "a & b",
            x: axis,
            y: axis,
            series: vec![
                series(Shape::Line, [Some(1.0), None, Some(1.0)]),
                series(Shape::Bars, [Some(2.0), None, Some(0.0)]),
                series(Shape::Bars, [Some(3.0), Some(1.0), None]),
            ],
            bounds: Vec::new(),
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("d=\"M64.0 210.4h0M904.0 210.4h0\"").count(), 1, "{svg}");
        assert_eq!(svg.matches("class=\"fill blue\"").count(), 3, "no bar of nothing");
        assert_eq!(chart.stacks(), [(0.0, 5.0), (1.0, 1.0), (2.0, 0.0)]);
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;s&gt;"));
    }
}
