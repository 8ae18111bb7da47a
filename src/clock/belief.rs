//! What is believed about the time: a wall clock that anybody may set, held against one that only goes on.
//!
//! Must hold: between two looks time goes on by the steady clock; where the wall clock has stepped by more than the bound,
//! neither way is believed: time goes on steadily, and whoever would begin something must ask [`Belief::certainly`].
//! Doubt ends when the step is undone, when the database's clock has gone steadily for a while and another clock says the
//! same, or by a person's word.
//! Deliberately absent: reading any clock. All of it is arguments, so that each case is a table.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::time::Timestamp;

/// While it is corrected, time goes faster or slower by no more than one part in so many.
const SLEW: i32 = 10;
/// Two readings of the database that are this far from each other's steady distance agree no more.
const UNSTEADY: TimeDelta = TimeDelta::seconds(5);

/// When a clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// A larger step is not followed.
    pub step: TimeDelta,
    /// So long the database's clock must have gone steadily, and agreed with another one, until it is believed after a step.
    pub steady_for: TimeDelta,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { step: TimeDelta::minutes(5), steady_for: TimeDelta::minutes(10) }
    }
}

/// Both clocks of the machine at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What the machine says the time is.
    pub wall: Timestamp,
    /// How long the steady clock has been going.
    pub steady: Duration,
}

/// Why the time is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The machine's clock has stepped.
    Stepped,
    /// The database's clock and what was believed have come apart.
    Database,
    /// The clock says a time before what has been written already.
    BeforeWritten,
}

/// A time that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Why.
    pub why: Why,
    /// What was believed at that moment.
    pub believed: Timestamp,
    /// What a clock said instead.
    pub said: Timestamp,
}

/// What is believed.
#[derive(Debug, Clone)]
pub struct Belief {
    bounds: Bounds,
    /// The last moment that is believed, and the steady clock then.
    anchor: Option<(Timestamp, Duration)>,
    /// Present once the database has told its time: what to add to the wall clock, and when that was read.
    database: Option<(TimeDelta, Duration)>,
    doubt: Option<Doubt>,
    /// Did doubt begin with the database's first reading, to which the steady clock was set?
    first: bool,
    /// Since when the database has gone steadily, while there is doubt.
    agreed: Option<(Timestamp, Duration)>,
}

impl Belief {
    /// Nothing is believed yet; the first look is.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, anchor: None, database: None, doubt: None, first: false, agreed: None }
    }

    /// Other bounds, from the settings.
    pub fn bind(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Why the time is not believed, while it is not.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// The time that is believed.
    pub fn tell(&mut self, look: Look) -> Timestamp {
        let Some((at, then)) = self.anchor else {
            self.anchor = Some((look.wall, look.steady));
            return look.wall;
        };
        let expected = at.plus(between(then, look.steady));
        let said = self.corrected(look);
        let apart = said.since(expected).abs() > self.bounds.step;
        match (self.doubt, apart) {
            (None, false) if self.database.is_none() => {
                // A small step is followed; where the database tells the time, it is the one that is followed.
                self.anchor = Some((said, look.steady));
                return said;
            }
            (None, true) => self.begin_doubt(Why::Stepped, (expected, said), look),
            (Some(Doubt { why: Why::Stepped | Why::BeforeWritten, .. }), false)
                if self.database.is_none() =>
            {
                // The step was undone, or the clock was set right.
                self.doubt = None;
            }
            (None, false) | (Some(_), _) => {}
        }
        expected
    }

    /// No later than the true time, by whichever clock: what is due by it may begin in spite of doubt.
    pub fn certainly(&mut self, look: Look) -> Timestamp {
        let believed = self.tell(look);
        match self.doubt {
            None => believed,
            Some(doubt) => {
                // Both were looked at in the moment at which doubt began.
                let said = doubt.said.plus(believed.since(doubt.believed));
                believed.min(said).min(self.corrected(look))
            }
        }
    }

    /// The highest time that was ever written stands in the database. A clock before it has gone back meanwhile.
    pub fn has_written(&mut self, highest: Timestamp, look: Look) {
        let believed = self.tell(look);
        if highest.since(believed) > self.bounds.step && self.doubt.is_none() {
            self.begin_doubt(Why::BeforeWritten, (highest, believed), look);
        }
    }

    /// The database has told its time. The first time it is taken as it is, later ones are approached.
    pub fn database_says(&mut self, said: Timestamp, look: Look) {
        let correction = said.since(look.wall);
        let Some((_, before)) = self.database else {
            let machine = self.tell(look);
            self.database = Some((correction, look.steady));
            if said.since(machine).abs() > self.bounds.step {
                self.begin_doubt(Why::Database, (said, machine), look);
                self.first = true;
            }
            self.anchor = Some((said, look.steady));
            return;
        };
        let expected = self.tell(look);
        self.database = Some((correction, look.steady));
        if self.doubt.is_some() {
            self.hear(said, look);
            return;
        }
        let apart = said.since(expected);
        if apart.abs() > self.bounds.step {
            self.begin_doubt(Why::Database, (expected, said), look);
            return;
        }
        let most = between(before, look.steady) / SLEW;
        self.anchor = Some((expected.plus(apart.clamp(-most, most)), look.steady));
    }

    /// A process before this one had come to doubt its clock, and nobody has ended that. A clock that was ahead then and
    /// says no earlier time now is ahead still; one that was behind is held against what was written.
    pub fn still_doubts(&mut self, before: Doubt, look: Look) {
        let ahead = before.said.since(before.believed);
        if self.doubt.is_none() && ahead > TimeDelta::zero() && look.wall >= before.said {
            self.begin_doubt(before.why, (look.wall.plus(-ahead), look.wall), look);
        }
    }

    /// A person says that the machine's clock, or the database's where there is one, is right.
    pub fn confirm(&mut self, look: Look) {
        self.anchor = Some((self.corrected(look), look.steady));
        (self.doubt, self.agreed) = (None, None);
    }

    fn corrected(&self, look: Look) -> Timestamp {
        self.database.map_or(look.wall, |(correction, _)| look.wall.plus(correction))
    }

    fn begin_doubt(&mut self, why: Why, (believed, said): (Timestamp, Timestamp), look: Look) {
        self.anchor = Some((believed, look.steady));
        self.doubt = Some(Doubt { why, believed, said });
        self.first = false;
        self.agreed = None;
    }

    /// While there is doubt: has the database's clock gone as steadily as ours for long enough?
    fn hear(&mut self, said: Timestamp, look: Look) {
        let Some((first, then)) = self.agreed else {
            self.agreed = Some((said, look.steady));
            return;
        };
        let (theirs, ours) = (said.since(first), between(then, look.steady));
        if (theirs - ours).abs() > UNSTEADY {
            self.agreed = Some((said, look.steady));
        } else if ours >= self.bounds.steady_for && self.is_borne_out(said, look) {
            self.anchor = Some((said, look.steady));
            (self.doubt, self.agreed) = (None, None);
        }
    }
}

impl Belief {
    /// Does another clock say the same as the database's? The steady one may, unless it was set by the very reading that is in
    /// doubt; and the machine's wall clock, unless it is the one that has stepped: both may be one clock.
    fn is_borne_out(&self, said: Timestamp, look: Look) -> bool {
        let steady =
            self.anchor.filter(|_| !self.first).map(|(at, then)| at.plus(between(then, look.steady)));
        let wall = self.doubt.filter(|doubt| doubt.why != Why::Stepped).map(|_| look.wall);
        [wall, steady].into_iter().flatten().any(|other| said.since(other).abs() <= self.bounds.step)
    }
}

fn between(earlier: Duration, later: Duration) -> TimeDelta {
    TimeDelta::from_std(later.saturating_sub(earlier)).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
