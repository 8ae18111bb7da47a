//! The points at which a process can be killed from outside, and which of them are tried.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the end comes, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fatal {
    /// Nowhere: a dry run.
    Never,
    /// At a sync, before anything is on the disk.
    BeforeSync(u64),
    /// At a sync, when all is on the disk and the program does not know it yet.
    AfterSync(u64),
    /// At a call that the vault has received and not carried out.
    BeforeCall(u64),
    /// At a call that the vault has carried out and not answered.
    AfterCall(u64),
    /// At a COMMIT that the server has not got.
    BeforeCommit(u64),
    /// At a COMMIT that the server has carried out, whose answer never arrives.
    AfterCommit(u64),
}

/// How many points one life has.
#[derive(Debug)]
pub struct Points {
    pub syncs: u64,
    pub calls: u64,
    pub commits: u64,
    /// Whether the fatal one of them was reached.
    pub was_killed: bool,
}

impl Fatal {
    /// What the process is started with so that its disk kills it.
    pub fn environment(self, count: &Path) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("COUNTERSIGN_FSYNC_COUNT", count.display().to_string()),
        ];
        let (at, how) = match self {
            Self::BeforeSync(nth) => (nth, "before"),
            Self::AfterSync(nth) => (nth, "after"),
            Self::Never
            | Self::BeforeCall(_)
            | Self::AfterCall(_)
            | Self::BeforeCommit(_)
            | Self::AfterCommit(_) => return environment,
        };
        environment.push(("COUNTERSIGN_FSYNC_KILL_AT", at.to_string()));
        environment.push(("COUNTERSIGN_FSYNC_KILL_HOW", how.to_owned()));
        environment
    }
}

/// The library that stands between the process and its disk, built once for all stories.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill/preload.c");
        let built = std::env::temp_dir().join(format!("countersign-preload-{}.so", std::process::id()));
        let compiler = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&built, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler, which Rust needs as well");
        assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
        built
    })
}

/// The points that are tried: all, or a few drawn from a seed.
pub fn sample(what: &str, points: u64, most: usize) -> Vec<u64> {
    let whole = std::env::var("COUNTERSIGN_PROOF").is_ok_and(|how| how == "whole");
    if whole {
        println!("{what}: all {points} points");
        return (1..=points).collect();
    }
    let seed = std::env::var("COUNTERSIGN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(11);
    let mut state: u64 = seed;
    let mut drawn: Vec<u64> = (0..most)
        .map(|_| {
            // Knuth's MMIX generator: any sequence will do that a seed brings back.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % points + 1
        })
        .collect();
    drawn.sort_unstable();
    drawn.dedup();
    println!("{what}: {drawn:?} of {points} points, COUNTERSIGN_SEED={seed}");
    drawn
}
