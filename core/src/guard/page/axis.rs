//! Where a moment and a value lie in a plot, and which of them are written beside it.

use crate::time::WallTime;

use super::words::grouped;

/// Units of a plot's width.
pub const WIDTH: f64 = 1_000.0;
/// Moments that are written under a wide plot at most, and under one on a phone.
const TICKS_MAX: i64 = 9;
const TICKS_NARROW_MAX: usize = 4;
/// Lines across a plot at most.
const LINES_MAX: f64 = 4.0;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Times between two moments that are written, as people count time.
const BETWEEN: [i64; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];
/// From here on between two moments their year says more than their day.
const MONTHS_APART: i64 = 60 * DAY;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTHS_IN_FULL: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The time that all plots of a page share, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    from_ms: i64,
    to_ms: i64,
}

/// A moment that is written under a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, in units of the width.
    pub x: f64,
    /// What.
    pub says: String,
    /// Whether there is room for it on a phone too.
    pub is_always: bool,
}

impl Tick {
    /// The class that shows it where there is room.
    pub const fn class(&self) -> &'static str {
        if self.is_always { "x" } else { "x wide" }
    }
}

impl Axis {
    /// From the first moment to the last, in milliseconds since 1970.
    pub const fn new(from_ms: i64, to_ms: i64) -> Self {
        let least = from_ms.saturating_add(1);
        Self { from_ms, to_ms: if to_ms > least { to_ms } else { least } }
    }

    /// Where a moment lies, in units of the width.
    pub fn x(&self, at_ms: i64) -> f64 {
        let (from, to) = (self.from_ms as f64, self.to_ms as f64);
        ((at_ms as f64 - from) / (to - from) * WIDTH).clamp(0.0, WIDTH)
    }

    /// Moments to write under it.
    pub fn ticks(&self) -> Vec<Tick> {
        let span = self.to_ms.saturating_sub(self.from_ms);
        let fits = |between: &i64| span / between < TICKS_MAX;
        let between =
            BETWEEN.into_iter().find(fits).unwrap_or_else(|| (span / (TICKS_MAX - 1) / DAY + 1) * DAY);
        let first = self.from_ms.div_euclid(between) + i64::from(self.from_ms.rem_euclid(between) > 0);
        let moments: Vec<_> = (first..).map(|at| at * between).take_while(|at| *at <= self.to_ms).collect();
        let every = moments.len().div_ceil(TICKS_NARROW_MAX).max(1);
        let tick = |(number, at): (usize, i64)| Tick {
            x: self.x(at),
            says: label(at, between),
            is_always: number % every == 0,
        };
        moments.into_iter().enumerate().map(tick).collect()
    }

    /// A moment in words; its day too where there is more than one.
    pub fn says(&self, at_ms: i64) -> String {
        if day(self.from_ms) == day(self.to_ms) {
            clock(at_ms)
        } else {
            format!("{}, {}", short_day(at_ms), clock(at_ms))
        }
    }
}

/// Its day in words: `13 August 2024`.
pub fn day(at_ms: i64) -> String {
    let (year, month, day) = date(at_ms);
    format!("{day} {} {year}", MONTHS_IN_FULL[month])
}

/// Its time of day in UTC, to the second: `20:04:31`.
pub fn clock(at_ms: i64) -> String {
    WallTime(at_ms).rfc3339().get(11..19).unwrap_or_default().to_owned()
}

fn short_day(at_ms: i64) -> String {
    let (_, month, day) = date(at_ms);
    format!("{day} {}", MONTHS[month])
}

/// Year, month (from 0) and day.
fn date(at_ms: i64) -> (u32, usize, u32) {
    let text = WallTime(at_ms).rfc3339();
    let piece = |from: usize, to: usize| text.get(from..to).and_then(|piece| piece.parse().ok()).unwrap_or(1);
    let month = piece(5, 7).clamp(1, MONTHS.len() as u32) as usize - 1;
    (piece(0, 4), month, piece(8, 10))
}

fn label(at_ms: i64, between: i64) -> String {
    let clock = clock(at_ms);
    match between {
        MONTHS_APART.. => format!("{} {}", MONTHS[date(at_ms).1], date(at_ms).0),
        DAY.. => short_day(at_ms),
        MINUTE.. if at_ms.rem_euclid(DAY) == 0 => short_day(at_ms),
        MINUTE.. => clock[..5].to_owned(),
        _ => clock,
    }
}

/// The values of a plot, from nothing to a round number above the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    most: f64,
    between: f64,
}

impl Scale {
    /// Holds values up to this one.
    pub fn up_to(largest: f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let least = largest / LINES_MAX;
        let ten = 10_f64.powf(least.log10().floor());
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * ten >= least * (1.0 - 1e-9));
        let between = times.unwrap_or(10.0) * ten;
        // A hundredth of a line above the last one needs no line of its own.
        Self { most: (largest / between - 0.01).ceil().max(1.0) * between, between }
    }

    /// The whole of something in percent, in quarters.
    pub const fn in_percent() -> Self {
        Self { most: 100.0, between: 25.0 }
    }

    /// How high a value lies, from 0 to 1.
    pub fn y(&self, value: f64) -> f64 {
        (value / self.most).clamp(0.0, 1.0)
    }

    /// Values to write beside it, but nothing: the lowest line says that itself.
    pub fn lines(&self) -> Vec<(f64, String)> {
        let count = (self.most / self.between).round() as u32;
        let decimals = usize::try_from(-(self.between.log10().floor() as i64)).unwrap_or(0).min(6);
        let says = |value: f64| match decimals {
            0 => grouped(value.round() as u64),
            decimals => format!("{value:.decimals$}"),
        };
        (1..=count).map(|at| f64::from(at) * self.between).map(|value| (value, says(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-08-13T00:00:00Z.
    const MIDNIGHT: i64 = 1_723_507_200_000;

    fn said(from_ms: i64, to_ms: i64) -> Vec<String> {
        Axis::new(from_ms, to_ms).ticks().into_iter().map(|tick| tick.says).collect()
    }

    #[test]
    fn moments_are_round_and_few() {
        assert_eq!(
            said(MIDNIGHT, MIDNIGHT + 20_000),
            ["00:00:00", "00:00:05", "00:00:10", "00:00:15", "00:00:20"]
        );
        assert_eq!(said(MIDNIGHT - 90_000, MIDNIGHT + 200_000).first().map(String::as_str), Some("23:59"));
        assert_eq!(
            said(MIDNIGHT - 3 * HOUR, MIDNIGHT + HOUR),
            ["21:00", "21:30", "22:00", "22:30", "23:00", "23:30", "13 Aug", "00:30", "01:00"]
        );
        assert_eq!(said(MIDNIGHT, MIDNIGHT + 6 * DAY)[..3], ["13 Aug", "14 Aug", "15 Aug"]);
        assert_eq!(said(MIDNIGHT, MIDNIGHT + 900 * DAY)[0], "Oct 2024");
        for span in [1, 999, 5_000, 61_000, 3_599_000, 90_000_000, 10 * 366 * DAY, i64::MAX / 4] {
            let ticks = Axis::new(MIDNIGHT + 1, MIDNIGHT + 1 + span).ticks();
            assert!(ticks.len() as i64 <= TICKS_MAX, "{span}: {}", ticks.len());
            assert!(ticks.iter().filter(|tick| tick.is_always).count() <= TICKS_NARROW_MAX, "{span}");
            assert!(ticks.windows(2).all(|two| two[0].x < two[1].x));
        }
    }

    #[test]
    fn a_moment_lies_where_its_time_is() {
        let axis = Axis::new(1_000, 3_000);
        assert_eq!([0, 1_000, 1_500, 3_000, 9_000].map(|at| axis.x(at)), [0.0, 0.0, 250.0, WIDTH, WIDTH]);
        let nothing = Axis::new(5, 5);
        assert_eq!((nothing.x(5), nothing.x(6)), (0.0, WIDTH), "never divided by nothing");
        assert_eq!(Axis::new(MIDNIGHT, MIDNIGHT + 1).says(MIDNIGHT), "00:00:00");
        assert_eq!(Axis::new(MIDNIGHT - 1, MIDNIGHT).says(MIDNIGHT), "13 Aug, 00:00:00");
        assert_eq!(
            (day(MIDNIGHT), clock(MIDNIGHT - 1)),
            ("13 August 2024".to_owned(), "23:59:59".to_owned())
        );
    }

    #[test]
    fn values_are_round_and_the_largest_fits() {
        let lines =
            |most: f64| Scale::up_to(most).lines().into_iter().map(|(_, says)| says).collect::<Vec<_>>();
        assert_eq!(lines(4_366.0), ["2,000", "4,000", "6,000"]);
        assert_eq!(lines(100.0), ["50", "100"]);
        assert_eq!(lines(0.3), ["0.1", "0.2", "0.3"]);
        assert_eq!(lines(7.0), ["2", "4", "6", "8"]);
        for most in [0.0, f64::NAN, f64::INFINITY, 1e-9, 0.7, 1.0, 3.0, 99.0, 12_345.6, 1e15] {
            let scale = Scale::up_to(most);
            let count = scale.lines().len();
            assert!((1..=5).contains(&count), "{most}: {count}");
            assert!(!most.is_finite() || scale.most >= most * 0.99, "{most}: {scale:?}");
        }
        assert_eq!([0.0, 50.0, 100.0, 200.0].map(|share| Scale::in_percent().y(share)), [0.0, 0.5, 1.0, 1.0]);
    }
}
