//! Enough people for every pool: who can be given which seat.
//!
//! Must hold: nobody sits on two seats; what is said to be enough stays enough whoever of them says yes first.
//! Deliberately absent: who these people are, and what they are asked.

use std::collections::BTreeSet;

/// More pools than this in one stage are not looked through for [`outlasts`].
pub const MOST_POOLS: usize = 8;

/// People, by address key, and how many of them must say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    /// Whose yes counts.
    pub members: BTreeSet<String>,
    /// How many are needed.
    pub quorum: u32,
}

impl Seats {
    fn count(&self) -> usize {
        usize::try_from(self.quorum).unwrap_or(usize::MAX)
    }
}

/// Can each pool be given as many of `keys` as it needs, and nobody to two pools?
pub fn are_met(pools: &[Seats], keys: &BTreeSet<String>) -> bool {
    let needed = pools.iter().map(Seats::count).fold(0_usize, usize::saturating_add);
    needed <= keys.len() && most_filled(pools, keys) == needed
}

/// Are there always enough of `able` for each pool of the last stage, whoever says yes in the stages before it, if a
/// yes of theirs does not count once more? For more than [`MOST_POOLS`] pools nobody can say, so the answer is no.
pub fn outlasts(last: &[Seats], before: &[Vec<Seats>], able: &BTreeSet<String>) -> bool {
    if last.len() > MOST_POOLS {
        return false;
    }
    let gone: Vec<Seats> = before.iter().map(|stage| yeses(stage, able)).collect();
    // Enough for every choice of pools is enough for all at once (the marriage theorem), and what may be gone of the
    // people of a choice is the most that can have been given a seat before.
    (1_u32..1 << last.len()).all(|choice| {
        let chosen: Vec<&Seats> = last
            .iter()
            .enumerate()
            .filter(|(place, _)| choice >> place & 1 == 1)
            .map(|(_, pool)| pool)
            .collect();
        let people = everybody(chosen.iter().copied(), able);
        let needed = chosen.iter().map(|pool| pool.count()).fold(0_usize, usize::saturating_add);
        people.len() - most_filled(&gone, &people) >= needed
    })
}

/// Who may have said yes when a stage is over: of one pool so many as it needs. Of several pools anybody may, because
/// some answer before it shows that others would have been enough.
fn yeses(stage: &[Seats], able: &BTreeSet<String>) -> Seats {
    if let [only] = stage {
        return only.clone();
    }
    let members = everybody(stage, able);
    let quorum = u32::try_from(members.len()).unwrap_or(u32::MAX);
    Seats { members, quorum }
}

fn everybody<'s>(pools: impl IntoIterator<Item = &'s Seats>, able: &BTreeSet<String>) -> BTreeSet<String> {
    let members = pools.into_iter().flat_map(|pool| &pool.members);
    members.filter(|key| able.contains(*key)).cloned().collect()
}

/// The most seats that these people can take.
fn most_filled(pools: &[Seats], keys: &BTreeSet<String>) -> usize {
    let seats: Vec<&BTreeSet<String>> = pools
        .iter()
        // Nobody sits on two seats, so no pool fills more than there are people.
        .flat_map(|pool| std::iter::repeat_n(&pool.members, pool.count().min(keys.len())))
        .collect();
    let people: Vec<&String> = keys.iter().collect();
    // Who sits where; each further seat may move those who sit already (augmenting paths).
    let mut seat_of: Vec<Option<usize>> = vec![None; people.len()];
    let takes = |seat: &usize| seated(*seat, (&seats, &people), &mut seat_of, &mut vec![false; people.len()]);
    (0..seats.len()).filter(takes).count()
}

fn seated(
    seat: usize,
    room: (&[&BTreeSet<String>], &[&String]),
    seat_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let (seats, people) = room;
    for (place, person) in people.iter().enumerate() {
        let fits = seats.get(seat).is_some_and(|members| members.contains(*person));
        if !fits || tried.get(place).copied().unwrap_or(true) {
            continue;
        }
        if let Some(mark) = tried.get_mut(place) {
            *mark = true;
        }
        let before = seat_of.get(place).copied().flatten();
        if before.is_none_or(|other| seated(other, room, seat_of, tried)) {
            if let Some(sits) = seat_of.get_mut(place) {
                *sits = Some(seat);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    fn pool(members: &[&str], quorum: u32) -> Seats {
        Seats { members: set(members), quorum }
    }

    #[test]
    fn every_pool_needs_people_of_its_own() {
        let pools = [pool(&["max", "ana"], 1), pool(&["ana", "bo", "cy"], 2)];
        for (yes, met) in [
            (&["max", "ana", "bo"][..], true),
            (&["ana", "bo", "cy"], true),
            (&["max", "bo", "cy"], true),
            (&["ana", "bo"], false),
            (&["max", "ana"], false),
            (&["bo", "cy", "dee"], false),
            (&["max", "bo", "dee"], false),
            (&[], false),
        ] {
            assert_eq!(are_met(&pools, &set(yes)), met, "{yes:?}");
        }
    }

    #[test]
    fn the_last_stage_is_met_by_others_whoever_came_first() {
        let able = set(&["ana", "bo", "cy", "di", "max"]);
        let (two, three) = (["ana", "bo"], ["ana", "bo", "cy"]);
        let manager = || vec![pool(&["max"], 1)];
        let one = |members: &[&str], quorum| vec![pool(members, quorum)];
        for (last, before, enough) in [
            (one(&two, 2), vec![], true),
            (one(&two, 2), vec![manager()], true),
            (one(&two, 1), vec![one(&two, 1)], true),
            (one(&two, 2), vec![one(&two, 1)], false),
            (one(&two, 1), vec![one(&two, 2)], false),
            (one(&three, 2), vec![one(&two, 1)], true),
            (one(&three, 2), vec![one(&two, 1), one(&two, 1)], false),
            // The same two both times leave two others, whatever they answer to.
            (one(&["ana", "bo", "cy", "di"], 2), vec![one(&two, 2), one(&two, 2)], true),
            // Cy alone can sit in the second pool, and Cy may have said yes before.
            (vec![pool(&three, 1), pool(&["cy"], 1)], vec![manager()], true),
            (vec![pool(&three, 1), pool(&["cy"], 1)], vec![one(&["cy", "di"], 1)], false),
            // Of several pools at once, more may answer than were needed.
            (one(&two, 1), vec![vec![pool(&two, 1), pool(&["max"], 1)]], false),
            (one(&three, 1), vec![vec![pool(&two, 1), pool(&["max"], 1)]], true),
            // Somebody who may not answer leaves earlier stages and the last one alike.
            (one(&["ana", "eve"], 1), vec![one(&["ana", "eve"], 1)], false),
            (vec![pool(&["ana"], 1); MOST_POOLS + 1], vec![], false),
        ] {
            assert_eq!(outlasts(&last, &before, &able), enough, "{last:?} after {before:?}");
        }
    }
}
