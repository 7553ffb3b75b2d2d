//! Time to pixels, with long stretches in which nothing ran drawn short.

/// How wide a stretch is in which nothing ran.
pub(super) const BREAK: f64 = 52.0;
/// The least room between two ticks.
const TICK_ROOM: f64 = 74.0;
/// Seconds between ticks that people count in.
const STEPS: [f64; 16] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0, 86400.0,
    604_800.0,
];

/// A mapping of seconds since the start of a run to pixels.
pub(super) struct Scale {
    pieces: Vec<Piece>,
}

/// A stretch that is drawn at one scale.
pub(super) struct Piece {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) is_break: bool,
}

impl Scale {
    /// A scale from zero to `end`, between two pixels. Each of `stops`, in order, becomes a break when
    /// drawing it would take a good part of the picture.
    pub(super) fn new(end: f64, stops: &[(f64, f64)], left: f64, right: f64) -> Self {
        let idle: f64 = stops.iter().map(|(from, to)| to - from).sum();
        let breaks = stops.iter().filter(|(from, to)| to - from > (end - idle) * 0.1);
        let breaks: Vec<_> = breaks.copied().collect();
        let broken: f64 = breaks.iter().map(|(from, to)| to - from).sum();
        #[expect(clippy::cast_precision_loss, reason = "a run has few sessions")]
        let room = (right - left - breaks.len() as f64 * BREAK).max(100.0);
        let each = room / (end - broken).max(0.001);
        let mut scale = Self { pieces: Vec::new() };
        let mut at = 0.0;
        for (from, to) in breaks {
            scale.add(at, from, (from - at) * each, left, false);
            scale.add(from, to, BREAK, left, true);
            at = to;
        }
        scale.add(at, end.max(at + 0.001), (end - at).max(0.001) * each, left, false);
        scale
    }

    fn add(&mut self, from: f64, to: f64, width: f64, start: f64, is_break: bool) {
        let left = self.pieces.last().map_or(start, |last| last.right);
        self.pieces.push(Piece { from, to, left, right: left + width, is_break });
    }

    /// The pixel of a time; times outside are drawn at the edge.
    pub(super) fn x(&self, seconds: f64) -> f64 {
        let piece = self.pieces.iter().find(|piece| seconds <= piece.to).or(self.pieces.last());
        piece.map_or(0.0, |piece| {
            let share = (seconds - piece.from) / (piece.to - piece.from).max(0.001);
            piece.left + (piece.right - piece.left) * share.clamp(0.0, 1.0)
        })
    }

    /// The stretches in which nothing ran that are drawn short.
    pub(super) fn breaks(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.is_break)
    }

    /// Times that get a line and a label, none of them too near to the next or to a break.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let shown = || self.pieces.iter().filter(|piece| !piece.is_break);
        let each = shown().map(|piece| (piece.right - piece.left) / (piece.to - piece.from).max(0.001));
        let each = each.fold(0.0, f64::max);
        let step = STEPS.iter().copied().find(|step| step * each >= TICK_ROOM).unwrap_or(STEPS[STEPS.len() - 1]);
        let mut ticks = Vec::new();
        for piece in shown() {
            let mut tick = (piece.from / step).ceil() * step;
            while tick <= piece.to {
                let near = self.breaks().any(|gap| {
                    let x = self.x(tick);
                    x > gap.left - BREAK / 2.0 && x < gap.right + BREAK / 2.0
                });
                if !near {
                    ticks.push(tick);
                }
                tick += step;
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_without_work_takes_a_strip_and_time_still_runs_one_way() {
        let scale = Scale::new(50_000.0, &[(3_600.0, 46_400.0)], 100.0, 1100.0);
        let xs: Vec<_> = (0..=500).map(|n| scale.x(f64::from(n) * 100.0)).collect();
        assert!(xs.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!((scale.x(46_400.0) - scale.x(3_600.0) - BREAK).abs() < 0.01);
        assert!((xs[0], xs[500]) == (100.0, 1100.0));
        assert!(!scale.ticks().is_empty());
    }

    #[test]
    fn a_short_stop_is_drawn_as_long_as_it_was() {
        assert_eq!(Scale::new(1_000.0, &[(100.0, 120.0)], 0.0, 1000.0).breaks().count(), 0);
    }
}
