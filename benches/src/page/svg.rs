//! A plot of lines over a numeric or a named axis, as SVG. Leaves out everything that the benches' plots don't need.

use std::fmt::Write;

use super::escape;

/// Pixels of a plot, and of what is around its lines.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// Marks on a numeric axis, about.
const MARKS: f64 = 6.0;

/// Told apart by people who see few colours, too.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

/// Lines over an axis.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    /// What the other axis, which begins at zero, shows.
    pub(crate) y: String,
    pub(crate) lines: Vec<Line>,
}

/// The horizontal axis.
#[derive(Debug)]
pub(crate) struct Axis {
    label: String,
    /// The names of 0, 1, 2 and so on; none for numbers.
    names: Vec<String>,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// From left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Axis {
    /// Of names in a row.
    pub(crate) fn named<'a>(label: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(str::to_owned).collect();
        Self { label: label.to_owned(), names }
    }

    /// Of numbers.
    pub(crate) fn numbers(label: &str) -> Self {
        Self::named(label, [])
    }
}

/// A range of values on so many pixels from one place.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    pixels: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        self.from
            + (value - self.least) / (self.most - self.least).max(f64::MIN_POSITIVE) * self.pixels
    }

    /// Round numbers in the range.
    fn marks(&self) -> Vec<f64> {
        let rough = (self.most - self.least).max(f64::MIN_POSITIVE) / MARKS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.least / step).ceil();
        (0..20)
            .map(|mark| (first + f64::from(mark)) * step)
            .take_while(|mark| *mark <= self.most)
            .collect()
    }
}

impl Plot {
    /// The plot as an `svg` element.
    pub(super) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let span = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(value), most.max(value))
            })
        };
        let (least, most) = span(&mut points().map(|point| point.0));
        let (_, highest) = span(&mut points().map(|point| point.1));
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let x = Scale { least, most, from: LEFT, pixels: width };
        let y = Scale { least: 0.0, most: highest * 1.05, from: TOP + height, pixels: -height };
        let mut out =
            format!("<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" font-size=\"12\" fill=\"none\">\n");
        if points().next().is_some() {
            self.axes(&mut out, &x, &y);
            for (index, line) in self.lines.iter().enumerate() {
                line.draw(&mut out, index, &x, &y);
            }
        }
        out + "</svg>"
    }

    fn axes(&self, out: &mut String, x: &Scale, y: &Scale) {
        let (bottom, right) = (y.from, LEFT + x.pixels);
        for mark in y.marks() {
            let at = y.at(mark);
            let _ = writeln!(out, "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>");
            text(out, LEFT - 6.0, at + 4.0, "end", &number(mark));
        }
        let marks: Vec<(f64, String)> = if self.x.names.is_empty() {
            x.marks().into_iter().map(|mark| (mark, number(mark))).collect()
        } else {
            (0..).map(f64::from).zip(self.x.names.iter().cloned()).collect()
        };
        for (mark, name) in marks {
            text(out, x.at(mark), bottom + 16.0, "middle", &name);
        }
        let _ = writeln!(out, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" stroke=\"black\"/>");
        text(out, LEFT + x.pixels / 2.0, HEIGHT - 8.0, "middle", &self.x.label);
        text(out, LEFT + 6.0, TOP + 10.0, "start", &self.y);
    }
}

impl Line {
    fn draw(&self, out: &mut String, index: usize, x: &Scale, y: &Scale) {
        let colour = COLOURS[index % COLOURS.len()];
        let mut points = String::new();
        for (across, up) in &self.points {
            let _ = write!(points, "{:.1},{:.1} ", x.at(*across), y.at(*up));
        }
        let points = points.trim_end();
        let _ =
            writeln!(out, "<polyline points=\"{points}\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        let (left, at) = (LEFT + x.pixels + 10.0, TOP + 10.0 + 18.0 * index as f64);
        let _ =
            writeln!(out, "<path d=\"M{left} {at}h18\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        text(out, left + 24.0, at + 4.0, "start", &self.name);
    }
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escape(text);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"black\">{text}</text>"
    );
}

/// As short as it goes, without the errors of binary fractions.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Scale, number};

    #[test]
    fn marks_are_round_and_inside() {
        let scale = |least, most| Scale { least, most, from: 0.0, pixels: 100.0 };
        let marks =
            |least, most| scale(least, most).marks().into_iter().map(number).collect::<Vec<_>>();
        assert_eq!(marks(0.0, 1.05), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(marks(3.0, 29.0), ["5", "10", "15", "20", "25"]);
        assert_eq!(marks(0.0, 0.0).len(), 1, "nothing to divide by");
        assert_eq!((scale(10.0, 20.0).at(15.0), scale(5.0, 5.0).at(5.0)), (50.0, 0.0));
    }
}
