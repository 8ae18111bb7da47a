//! Signing in: what proves a person, how often codes are sent, and how long each of these holds.
//!
//! Must hold: a weaker proof never stands for a stronger one; the bounds are the same for every address, known or not,
//! so that no answer tells which are known; whoever types an address uses up nobody else's codes. Deliberately absent: making and comparing codes (the key and the store).

use std::net::IpAddr;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// A code is worth something for so long.
pub const CODE_HOLDS: TimeDelta = TimeDelta::minutes(10);
/// So many wrong codes end a code.
pub const MOST_TRIES: u32 = 5;

/// A mail needs its time; who asks again sooner is asked to wait.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Within so long at most so many codes.
type Bound = (TimeDelta, usize);

/// For one browser, counted apart for typed addresses and for links.
const OF_BROWSER: [Bound; 2] = [(TimeDelta::minutes(15), 5), (TimeDelta::hours(24), 20)];
/// For one address through personal links that one client has; they must be had first, but may be forwarded.
const OF_LINKS_AND_CLIENT: [Bound; 2] = [(TimeDelta::minutes(15), 5), (TimeDelta::hours(24), 20)];
/// For one address through personal links, whoever has them: far more than one client may.
const OF_LINKS: [Bound; 2] = [(TimeDelta::minutes(15), 20), (TimeDelta::hours(24), 60)];
/// For one address that one client types: far less than all clients together may, so that nobody uses up the codes of
/// somebody else.
const OF_ADDRESS_AND_CLIENT: [Bound; 2] = [(TimeDelta::hours(1), 5), (TimeDelta::hours(24), 10)];
/// For one address, whoever types it. It bounds the mails to one person, and the guesses of those who share out their
/// asking: five tries at each of forty codes a day, and of twenty for commands, guess one of a million about once in three
/// thousand days.
const OF_ADDRESS: [Bound; 2] = [(TimeDelta::hours(1), 20), (TimeDelta::hours(24), 40)];
/// For one address that one user of the machine names in commands.
const OF_ADDRESS_AND_USER: [Bound; 2] = [(TimeDelta::hours(1), 5), (TimeDelta::hours(24), 10)];
/// For one address, whoever names it in commands.
const OF_ADDRESS_IN_COMMANDS: [Bound; 2] = [(TimeDelta::hours(1), 10), (TimeDelta::hours(24), 20)];
/// For one client, whatever addresses it types. Many people may sit behind one.
const OF_CLIENT: [Bound; 2] = [(TimeDelta::minutes(15), 20), (TimeDelta::hours(24), 200)];
/// For everybody together who types an address.
const OF_ALL: Bound = (TimeDelta::minutes(15), 1_000);

/// Codes that were asked for earlier than this count no more.
pub const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// The stretch over which the codes of everybody are counted.
pub const COUNTED_TOGETHER: TimeDelta = OF_ALL.0;

/// How strong a proof is; the later one is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Having the personal link.
    #[default]
    Link,
    /// Having read a fresh code in the mailbox.
    Code,
}

impl Strength {
    /// The persisted word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
        }
    }
}

/// What proves that a person is who they are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The personal link alone.
    Link,
    /// A code from the mailbox, entered at this moment.
    Code(Timestamp),
}

impl Proof {
    /// How strong it is.
    pub const fn strength(self) -> Strength {
        match self {
            Self::Link => Strength::Link,
            Self::Code(_) => Strength::Code,
        }
    }

    /// When the person signed in, if they did.
    pub const fn signed_in_at(self) -> Option<Timestamp> {
        match self {
            Self::Link => None,
            Self::Code(at) => Some(at),
        }
    }
}

/// Too many codes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-in codes were asked for")]
pub struct TooOften {
    /// From then on another one may be asked for.
    pub until: Timestamp,
}

/// How a client begins that gives a command; no address of the network does.
pub const AT_THE_MACHINE: &str = "command line, ";

/// Where an asking comes from, as far as the network tells: what is counted as one sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(String);

impl Client {
    /// The sender behind an address. Whoever has one address of the sixth version has its whole network of 64 bits.
    pub fn of(address: Option<IpAddr>) -> Self {
        let Some(address) = address else { return Self("unknown".to_owned()) };
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [one, two, three, four, ..] = address.segments();
                format!("{one:x}:{two:x}:{three:x}:{four:x}::/64")
            }
        })
    }

    /// Whoever gives a command, by what the machine calls them.
    pub fn at_the_machine(called: &str) -> Self {
        Self(format!("{AT_THE_MACHINE}{called}"))
    }

    /// Does a command ask?
    pub fn is_at_the_machine(&self) -> bool {
        self.0.starts_with(AT_THE_MACHINE)
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was asked for before, in the same way.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// When codes were asked for from the same browser.
    pub from_browser: &'a [Timestamp],
    /// By whom else.
    pub way: Way<'a>,
}

/// How a code is asked for. Each is counted apart: anybody may type an address, a personal link must be had first, and
/// so must a shell on the machine; no flood of the one closes another.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// Somebody types an address.
    Typed {
        /// When codes were asked for, for the same address.
        for_address: &'a [Timestamp],
        /// When the same client asked for one, for the same address.
        for_address_by_client: &'a [Timestamp],
        /// When the same client asked for one, for whichever address.
        by_client: &'a [Timestamp],
        /// How many were asked for by everybody, within [`COUNTED_TOGETHER`].
        by_all: usize,
    },
    /// Somebody has a personal link.
    Link {
        /// When codes were asked for, for the same address.
        for_address: &'a [Timestamp],
        /// When the same client asked for one, for the same address.
        for_address_by_client: &'a [Timestamp],
    },
    /// Somebody gives a command on the machine.
    Command {
        /// When codes were asked for in this way, for the same address.
        for_address: &'a [Timestamp],
        /// When the same user of the machine asked for one, for the same address.
        for_address_by_user: &'a [Timestamp],
    },
}

/// May a code be asked for now?
pub fn may_ask(earlier: Earlier<'_>, now: Timestamp) -> Result<(), TooOften> {
    // Somebody else's asking must not make the owner of the address wait for the mail of a stranger.
    let for_mail = earlier.from_browser.iter().max().map_or(now, |last| last.plus(AGAIN_AFTER));
    let from_browser = free_at(earlier.from_browser, OF_BROWSER, now);
    let by_others = match earlier.way {
        // Who was forwarded the link uses up their own share, and not that of its addressee.
        Way::Link { for_address, for_address_by_client } => {
            free_at(for_address, OF_LINKS, now).max(free_at(for_address_by_client, OF_LINKS_AND_CLIENT, now))
        }
        Way::Command { for_address, for_address_by_user } => free_at(
            for_address,
            OF_ADDRESS_IN_COMMANDS,
            now,
        )
        .max(free_at(for_address_by_user, OF_ADDRESS_AND_USER, now)),
        Way::Typed { for_address, for_address_by_client, by_client, by_all } => {
            let (span, most) = OF_ALL;
            let by_all = if by_all >= most { now.plus(span) } else { now };
            by_all
                .max(free_at(for_address, OF_ADDRESS, now))
                .max(free_at(for_address_by_client, OF_ADDRESS_AND_CLIENT, now))
                .max(free_at(by_client, OF_CLIENT, now))
        }
    };
    let until = for_mail.max(from_browser).max(by_others);
    if until > now { Err(TooOften { until }) } else { Ok(()) }
}

fn free_at(asked: &[Timestamp], bounds: [Bound; 2], now: Timestamp) -> Timestamp {
    let mut newest_first = asked.to_vec();
    newest_first.sort_by(|one, other| other.cmp(one));
    let frees = bounds.map(|(span, most)| newest_first.get(most - 1).map(|oldest| oldest.plus(span)));
    frees.into_iter().flatten().fold(now, Timestamp::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    fn moments(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|second| at(*second)).collect()
    }

    fn wait(earlier: Earlier<'_>) -> Option<i64> {
        may_ask(earlier, at(0)).err().map(|often| often.until.since(at(0)).num_seconds())
    }

    fn by_link(by_client: &[i64], from_browser: &[i64]) -> Option<i64> {
        by_links(by_client, by_client, from_browser)
    }

    fn by_links(for_address: &[i64], by_client: &[i64], from_browser: &[i64]) -> Option<i64> {
        let (for_address, by_client) = (moments(for_address), moments(by_client));
        let way = Way::Link { for_address: &for_address, for_address_by_client: &by_client };
        wait(Earlier { from_browser: &moments(from_browser), way })
    }

    fn typed(
        for_address: &[i64],
        by_client: &[i64],
        by_client_for_address: usize,
        by_all: usize,
    ) -> Option<i64> {
        let (for_address, by_client) = (moments(for_address), moments(by_client));
        let way = Way::Typed {
            for_address: &for_address,
            for_address_by_client: &by_client[..by_client_for_address],
            by_client: &by_client,
            by_all,
        };
        wait(Earlier { from_browser: &[], way })
    }

    #[test]
    fn codes_are_sent_within_bounds() {
        assert_eq!(by_link(&[], &[]), None);
        assert_eq!(by_link(&[-31], &[-31]), None);
        assert_eq!(by_link(&[-10], &[-10]), Some(20), "the mail is on its way");
        assert_eq!(by_link(&[-10], &[]), None, "somebody else asked");
        assert_eq!(by_link(&[-800, -700, -600, -500, -400], &[]), Some(100));
        assert_eq!(by_link(&[-901, -700, -600, -500, -400], &[]), None);
        assert_eq!(by_link(&[], &[-800, -700, -600, -500, -40]), Some(100));
        let day: Vec<i64> = (1..=20).map(|hour| -3_600 * hour).collect();
        assert_eq!(by_link(&day, &[]), Some(4 * 3_600));
    }

    #[test]
    fn who_was_forwarded_a_link_does_not_close_it_to_its_addressee() {
        let strangers = [-800, -700, -600, -500, -400];
        assert_eq!(by_links(&strangers, &strangers, &[]), Some(100), "the stranger's own bound");
        assert_eq!(by_links(&strangers, &[], &[]), None, "another client is not kept waiting");
        let many: Vec<i64> = (1..=20).map(|number| -40 * number).collect();
        assert_eq!(by_links(&many, &[], &[]), Some(100), "one mailbox has its bound all the same");
    }

    #[test]
    fn who_types_an_address_does_not_use_up_the_codes_of_its_owner() {
        let strangers = [-3_000, -2_000, -1_000, -500, -400];
        assert_eq!(
            typed(&strangers, &strangers, 5, 5),
            Some(600),
            "the stranger's own bound for this address"
        );
        assert_eq!(typed(&strangers, &[], 0, 5), None, "another client is not kept waiting");
        let many: Vec<i64> = (1..=20).map(|minute| -60 * minute).collect();
        assert_eq!(typed(&many, &[], 0, 20), Some(3_600 - 1_200), "one mailbox has its bound all the same");
        let often: Vec<i64> = (1..=20).map(|number| -40 * number).collect();
        assert_eq!(typed(&[], &often, 0, 20), Some(100), "whatever addresses a client types");
        assert_eq!(typed(&[], &[], 0, 1_000), Some(900));
    }

    #[test]
    fn a_command_has_a_bound_of_its_own() {
        let asked = |by_all: &[i64], by_user: &[i64]| {
            let (for_address, for_address_by_user) = (&moments(by_all)[..], &moments(by_user)[..]);
            wait(Earlier { from_browser: &[], way: Way::Command { for_address, for_address_by_user } })
        };
        let often: Vec<i64> = (1..=10).map(|minute| -60 * minute).collect();
        assert_eq!((asked(&often[..9], &often[..4]), asked(&often, &[])), (None, Some(3_600 - 600)));
        assert_eq!(asked(&often[..5], &often[..5]), Some(3_600 - 300));
    }

    #[test]
    fn a_client_is_an_address_or_a_whole_network_of_the_sixth_version() {
        let client = |text: &str| Client::of(Some(text.parse().unwrap()));
        assert_eq!(client("10.0.0.7").as_str(), "10.0.0.7");
        assert_eq!(client("::ffff:10.0.0.7"), client("10.0.0.7"));
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_eq!(Client::of(None).as_str(), "unknown");
        let command = Client::at_the_machine("olga");
        assert!(command.is_at_the_machine() && !Client::of(None).is_at_the_machine());
    }

    #[test]
    fn a_code_is_stronger_than_a_link() {
        assert!(Strength::Link < Strength::Code);
        assert_eq!(Proof::Code(at(0)).strength(), Strength::Code);
        assert_eq!((Proof::Link.signed_in_at(), Proof::Link.strength()), (None, Strength::Link));
    }
}
