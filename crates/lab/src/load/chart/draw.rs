//! The parts of a picture, drawn one after the other.

use std::fmt::Write as _;

use super::{BOTTOM, Chart, LEFT, RIGHT, SIZE, Series, Shape, TOP, escape, span::Span};

/// About how wide a letter of the legend is.
const LETTER: f64 = 6.6;

impl Chart<'_> {
    pub(super) fn grid(&self, svg: &mut String, x: Span, y: Span) {
        let (left, right, bottom) = (LEFT, SIZE.0 - RIGHT, SIZE.1 - BOTTOM);
        for value in y.ticks() {
            let place = y.place(value);
            let label = escape(&(self.y.show)(value));
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{left} {place:.1}H{right}\"/>\
                 <text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                left - 8.0,
                place + 4.0
            );
        }
        for value in x.ticks() {
            let label = escape(&(self.x.show)(value));
            let _ = write!(
                svg,
                "<text class=\"tick middle\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                x.place(value),
                bottom + 18.0
            );
        }
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{left} {bottom}H{right}\"/>\
             <text class=\"label middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"label\" x=\"8\" y=\"18\">{}</text>",
            (left + right) / 2.0,
            SIZE.1 - 8.0,
            escape(self.x.label),
            escape(self.y.label)
        );
    }

    pub(super) fn bars(&self, svg: &mut String, x: Span, y: Span) {
        let mut below = vec![0.0; self.stacks().len()];
        let width = (x.width() / below.len().max(1) as f64 - 1.0).clamp(0.5, 24.0);
        for series in self.series.iter().filter(|series| series.shape == Shape::Bars) {
            for ((place, value), below) in series.points.iter().zip(&mut below) {
                let Some(value) = value.filter(|value| *value > 0.0) else { continue };
                let (top, bottom) = (y.place(*below + value), y.place(*below));
                let _ = write!(
                    svg,
                    "<rect class=\"fill {}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                     height=\"{:.1}\"/>",
                    series.color,
                    x.place(*place),
                    bottom - top
                );
                *below += value;
            }
        }
    }

    pub(super) fn held_against(&self, svg: &mut String, y: Span) {
        for (value, name) in &self.bounds {
            let (place, right) = (y.place(*value), SIZE.0 - RIGHT);
            let _ = write!(
                svg,
                "<path class=\"bound\" d=\"M{LEFT} {place:.1}H{right}\"/>\
                 <text class=\"bound-name end\" x=\"{right}\" y=\"{:.1}\">{}</text>",
                place - 4.0,
                escape(name)
            );
        }
    }

    /// Names beside their colors, from the right, so that the axis keeps its own.
    pub(super) fn legend(&self, svg: &mut String) {
        let mut right = SIZE.0 - RIGHT;
        for series in self.series.iter().rev() {
            right -= series.name.chars().count() as f64 * LETTER;
            let _ = write!(
                svg,
                "<text class=\"name\" x=\"{right:.1}\" y=\"18\">{}</text>\
                 <path class=\"stroke {} {}\" d=\"M{:.1} 14h16\"/>",
                escape(&series.name),
                series.color,
                series.shape.class(),
                right - 21.0
            );
            right -= 36.0;
        }
    }

    /// What a pointer that rests on a place is told.
    pub(super) fn tips(&self, svg: &mut String, x: Span) {
        let Some(first) = self.series.first() else { return };
        let width = (x.width() / first.points.len().max(1) as f64).max(1.0);
        for (index, (place, _)) in first.points.iter().enumerate() {
            let mut tip = format!("{} {}", (self.x.show)(*place), self.x.label);
            for series in &self.series {
                let value = series.points.get(index).and_then(|point| point.1);
                if let Some(value) = value {
                    let _ = write!(tip, "\n{}: {}", series.name, (self.y.show)(value));
                }
            }
            let _ = write!(
                svg,
                "<rect class=\"tip\" x=\"{:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\">\
                 <title>{}</title></rect>",
                x.place(*place) - width / 2.0,
                SIZE.1 - TOP - BOTTOM,
                escape(&tip)
            );
        }
    }
}

impl Series {
    pub(super) fn line(&self, svg: &mut String, x: Span, y: Span) {
        let (mut path, mut gap) = (String::new(), true);
        for (place, value) in &self.points {
            let Some(value) = value else {
                gap = true;
                continue;
            };
            let (left, top) = (x.place(*place), y.place(*value));
            // A value between two gaps is a line of no length, which round ends make a dot.
            let _ = match gap {
                true => write!(path, "M{left:.1} {top:.1}h0"),
                false => write!(path, "L{left:.1} {top:.1}"),
            };
            gap = false;
        }
        let (color, shape) = (self.color, self.shape.class());
        let _ = write!(svg, "<path class=\"stroke {color} {shape}\" d=\"{path}\"/>");
        for (place, value) in self.points.iter().filter(|_| self.shape == Shape::Dotted) {
            let Some(value) = value else { continue };
            let (left, top) = (x.place(*place), y.place(*value));
            let _ = write!(
                svg,
                "<circle class=\"fill {color}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"4\"/>"
            );
        }
    }
}

impl Shape {
    fn class(self) -> &'static str {
        match self {
            Self::Line | Self::Dotted => "",
            Self::Dashed => "dashed",
            Self::Bars => "thick",
        }
    }
}
