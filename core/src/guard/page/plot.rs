//! Plots as SVG: pure functions from values in time to text.
//!
//! A plot is as wide as its page. What is data lies in a drawing of its own that is stretched to that width;
//! letters and the lines of the grid are placed by percent and are never stretched. Values are drawn as
//! steps, flat for as long as each was true: between two of them nothing is known, so nothing is drawn as if
//! it were.

use std::fmt::Write;

use super::axis::{Axis, Scale, WIDTH};

/// Room above the highest line, for what is written on it.
const ABOVE: f64 = 16.0;
/// Room below the lowest, for the time.
const BELOW: f64 = 22.0;
/// How high a lane of a band is, and the room from one to the next.
const LANE: f64 = 30.0;
const LANE_SPACE: f64 = 6.0;

/// Some time: from, to, in milliseconds since 1970.
pub type Span = (i64, i64);

/// A plot of values in time.
pub struct Plot<'a> {
    axis: &'a Axis,
    scale: Scale,
    height: f64,
    unit: &'a str,
    data: String,
}

/// What one lane of a band shows for some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// From, to.
    pub span: Span,
    /// The class that colours it.
    pub class: &'static str,
    /// How much of the lane's height it fills, from 0 to 1: colour is not the only sign.
    pub height: f64,
    /// What is written on it where there is room.
    pub says: &'static str,
}

impl<'a> Plot<'a> {
    /// Nothing is drawn yet. `height` is in pixels; `unit` is written after the highest value.
    pub const fn new(axis: &'a Axis, scale: Scale, (height, unit): (f64, &'a str)) -> Self {
        Self { axis, scale, height, unit, data: String::new() }
    }

    /// What lies between a lower and an upper value at each time.
    pub fn area(&mut self, class: &str, values: &[(Span, f64, f64)]) {
        let mut path = String::new();
        for piece in values.chunk_by(|one, next| one.0.1 == next.0.0) {
            if piece.iter().all(|(_, low, high)| low >= high) {
                continue;
            }
            let mut upper = StepsPath::default();
            piece.iter().for_each(|(span, _, high)| upper.go_on(self.between(*span), self.y(*high)));
            let mut lower = StepsPath::default();
            piece.iter().rev().for_each(|((from, to), low, _)| {
                lower.go_on(self.between((*to, *from)), self.y(*low));
            });
            let (upper, lower) = (upper.end(), lower.end());
            let _ = write!(path, "M{upper}L{lower}Z");
        }
        self.path(class, &path);
    }

    /// Values one upon another, the first at the bottom: a class and its value at each time.
    pub fn stack(&mut self, spans: &[Span], layers: &[(&str, Vec<f64>)]) {
        let mut below = vec![0.0; spans.len()];
        for (class, values) in layers {
            let above: Vec<_> =
                below.iter().zip(values).map(|(below, value)| below + value.max(0.0)).collect();
            let zipped = spans.iter().zip(below.iter().zip(&above));
            let area: Vec<_> = zipped.map(|(span, (low, high))| (*span, *low, *high)).collect();
            self.area(class, &area);
            below = above;
        }
    }

    /// A line; it breaks where there is no value.
    pub fn line(&mut self, class: &str, values: &[(Span, f64)]) {
        let mut path = String::new();
        for piece in values.chunk_by(|one, next| one.0.1 == next.0.0) {
            let mut steps = StepsPath::default();
            piece.iter().for_each(|(span, value)| steps.go_on(self.between(*span), self.y(*value)));
            let _ = write!(path, "M{}", steps.end());
        }
        self.path(class, &path);
    }

    /// A value that is the same all the time.
    pub fn mark(&mut self, class: &str, value: f64) {
        let y = self.y(value);
        self.path(class, &format!("M0 {y:.1}H{WIDTH}"));
    }

    /// The plot, named and described in text that is HTML already.
    pub fn write(&self, id: &str, (title, says): (&str, &str)) -> String {
        let (width, height) = (WIDTH, self.height);
        let mut svg = opened(id, (title, says), ABOVE + height + BELOW);
        let lines = self.scale.lines();
        svg.push_str("<g class=\"grid\" aria-hidden=\"true\">");
        for value in lines.iter().map(|(value, _)| *value) {
            let y = ABOVE + self.y(value);
            let _ = write!(svg, "<line x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        }
        svg.push_str(&moments(self.axis, ABOVE, ABOVE + height));
        svg.push_str("</g>");
        let _ = write!(
            svg,
            "<svg class=\"data\" aria-hidden=\"true\" y=\"{ABOVE}\" width=\"100%\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">{}</svg>\
             <g aria-hidden=\"true\">",
            self.data
        );
        for (number, (value, label)) in lines.iter().enumerate() {
            let unit = if number + 1 == lines.len() { self.unit } else { "" };
            let y = ABOVE + self.y(*value) - 4.0;
            let _ = write!(svg, "<text class=\"y\" x=\"0\" y=\"{y:.1}\">{label}{unit}</text>");
        }
        svg + &times(self.axis, ABOVE + height) + "</g></svg>"
    }

    fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = write!(self.data, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    fn between(&self, (from, to): Span) -> (f64, f64) {
        (self.axis.x(from), self.axis.x(to))
    }

    /// From above.
    fn y(&self, value: f64) -> f64 {
        self.height * (1.0 - self.scale.y(value))
    }
}

/// A band of lanes, one under another, each with what it shows for how long, on the same axis as the plots.
pub fn band(axis: &Axis, id: &str, (title, says): (&str, &str), lanes: &[Vec<Piece>]) -> String {
    let height = lanes.len() as f64 * (LANE + LANE_SPACE) - LANE_SPACE;
    let mut svg = opened(id, (title, says), height + BELOW);
    svg.push_str("<g aria-hidden=\"true\">");
    let top_of = |number: usize| number as f64 * (LANE + LANE_SPACE);
    for top in (0..lanes.len()).map(top_of) {
        let _ = write!(svg, "<rect class=\"lane\" y=\"{top}\" width=\"100%\" height=\"{LANE}\"/>");
    }
    svg.push_str(&moments(axis, 0.0, height));
    for (number, lane) in lanes.iter().enumerate() {
        let top = top_of(number);
        for piece in together(lane) {
            let (from, to) = (axis.x(piece.span.0) / 10.0, axis.x(piece.span.1) / 10.0);
            let (width, high) = (to - from, LANE * piece.height.clamp(0.0, 1.0));
            let class = piece.class;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{from:.3}%\" y=\"{:.1}\" width=\"{width:.3}%\" \
                 height=\"{high:.1}\"/>",
                top + LANE - high,
            );
            // Ten letters need some tenth of a wide page.
            if width >= 2.0 * piece.says.chars().count() as f64 && !piece.says.is_empty() {
                let y = top + LANE - high / 2.0 + 4.5;
                let x = from + 0.6;
                let _ = write!(
                    svg,
                    "<text class=\"on {class}\" x=\"{x:.3}%\" y=\"{y:.1}\">{}</text>",
                    piece.says
                );
            }
        }
    }
    svg + &times(axis, height) + "</g></svg>"
}

/// Neighbours alike as one.
fn together(lane: &[Piece]) -> Vec<Piece> {
    let mut together: Vec<Piece> = Vec::new();
    for piece in lane {
        match together.last_mut() {
            Some(last)
                if (last.class, last.span.1, last.height) == (piece.class, piece.span.0, piece.height) =>
            {
                last.span.1 = piece.span.1;
            }
            _ => together.push(piece.clone()),
        }
    }
    together
}

fn opened(id: &str, (title, says): (&str, &str), height: f64) -> String {
    format!(
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\" \
         width=\"100%\" height=\"{height}\"><title id=\"{id}-t\">{title}</title><desc \
         id=\"{id}-d\">{says}</desc>"
    )
}

/// Lines through a plot at the moments that are written under it, behind what is drawn.
fn moments(axis: &Axis, top: f64, bottom: f64) -> String {
    let mut svg = String::new();
    for tick in axis.ticks() {
        let (x, class) = (tick.x / 10.0, tick.class());
        let y = bottom + 4.0;
        let _ =
            write!(svg, "<line class=\"{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{top}\" y2=\"{y:.1}\"/>");
    }
    svg
}

/// The moments themselves.
fn times(axis: &Axis, bottom: f64) -> String {
    let mut svg = format!("<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
    for tick in axis.ticks() {
        let anchor = match tick.x {
            ..80.0 => "start",
            920.0.. => "end",
            _ => "middle",
        };
        let (x, y, class, says) = (tick.x / 10.0, bottom + 17.0, tick.class(), &tick.says);
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{x:.2}%\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{says}</text>"
        );
    }
    svg
}

/// A path of steps, in which what is the same for long is said once.
#[derive(Default)]
struct StepsPath {
    path: String,
    to: f64,
    y: Option<f64>,
}

impl StepsPath {
    fn go_on(&mut self, (from, to): (f64, f64), y: f64) {
        // A tenth of a pixel is seen by nobody.
        let y = (y * 10.0).round() / 10.0;
        match self.y {
            None => {
                let _ = write!(self.path, "{} {y}", x(from));
            }
            Some(before) if before == y => {}
            Some(_) => {
                let _ = write!(self.path, "H{}V{y}", x(from));
            }
        }
        (self.to, self.y) = (to, Some(y));
    }

    fn end(mut self) -> String {
        let _ = write!(self.path, "H{}", x(self.to));
        self.path
    }
}

fn x(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis::new(0, 10_000);

    fn plot() -> Plot<'static> {
        Plot::new(&AXIS, Scale::up_to(10.0), (100.0, " a second"))
    }

    #[test]
    fn a_line_is_flat_for_as_long_as_it_is_true_and_breaks_where_nothing_is_known() {
        let mut plot = plot();
        plot.line(
            "p",
            &[((0, 1_000), 10.0), ((1_000, 2_000), 10.0), ((2_000, 3_000), 5.0), ((7_000, 10_000), 0.0)],
        );
        assert_eq!(plot.data, "<path class=\"p\" d=\"M0 0H200V50H300M700 100H1000\"/>");
        plot.data.clear();
        plot.line("p", &[]);
        assert_eq!(plot.data, "", "of nothing nothing is drawn");
    }

    #[test]
    fn layers_lie_one_upon_another() {
        let mut plot = plot();
        let spans = [(0, 5_000), (5_000, 10_000)];
        plot.stack(&spans, &[("a", vec![2.0, 4.0]), ("b", vec![0.0, 0.0]), ("c", vec![3.0, 1.0])]);
        assert_eq!(
            plot.data,
            "<path class=\"a\" d=\"M0 80H500V60H1000L1000 100H0Z\"/>\
             <path class=\"c\" d=\"M0 50H1000L1000 60H500V80H0Z\"/>",
            "and a layer without anything is none"
        );
    }

    #[test]
    fn a_plot_says_what_it_shows_and_every_line_has_its_value() {
        let mut plot = plot();
        plot.mark("half", 5.0);
        let svg = plot.write("people", ("People", "Ten at most."));
        assert!(
            svg.contains("<title id=\"people-t\">People</title><desc id=\"people-d\">Ten at most.</desc>")
        );
        assert!(svg.contains(">10 a second</text>") && svg.contains(">5</text>"), "{svg}");
        assert!(
            svg.contains(">00:00:10</text>") && svg.contains("<path class=\"half\" d=\"M0 50.0H1000\"/>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn neighbours_alike_are_one_piece_of_a_band() {
        let piece =
            |from: i64, class| Piece { span: (from, from + 1_000), class, height: 0.5, says: "Crowd" };
        let lane = [piece(0, "a"), piece(1_000, "a"), piece(2_000, "b"), piece(5_000, "b")];
        let svg = band(&AXIS, "verdict", ("Verdict", "…"), &[lane.to_vec()]);
        assert_eq!(
            (svg.matches("<rect class=\"a\"").count(), svg.matches("<rect class=\"b\"").count()),
            (1, 2)
        );
        assert!(svg.contains("width=\"20.000%\" height=\"15.0\"") && svg.contains(">Crowd</text>"), "{svg}");
    }
}
