//! The benchmark: how fast the unmodified binary is, measured from outside, against limits measured in the same run.
//!
//! Must hold: what is compared is measured in pairs, one after the other, and the median of the pairs counts; a
//! figure stands beside its goal, and a goal that is missed is named. Nothing in here is a test: no time makes one fail.
//! Deliberately absent: figures of an earlier run, which say nothing about another machine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on has failed, and says where"
)]

mod figures;
mod intake;
mod leavers;
mod people;
mod scale;
mod sequences;
mod stand;
mod watch;
mod weight;

use figures::Report;
use stand::{Disk, Engine};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Compared so often.
    pub pairs: usize,
    /// Joiners in one run.
    pub joiners: usize,
    /// Webhooks in one run.
    pub webhooks: usize,
    /// Leavers in one run.
    pub leavers: usize,
    /// Rows that stand for a small installation, and for a large one.
    pub stored: (u64, u64),
    /// Approved and due when the service starts.
    pub unfinished: u64,
}

const WHOLE: Size = Size {
    pairs: 5,
    joiners: 320,
    webhooks: 4_000,
    leavers: 200,
    stored: (1_000, 1_000_000),
    unfinished: 100_000,
};
const QUICK: Size =
    Size { pairs: 1, joiners: 64, webhooks: 500, leavers: 40, stored: (1_000, 20_000), unfinished: 2_000 };

fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [deed, url, seconds] = arguments.as_slice()
        && deed == "commit-rate"
    {
        runtime.block_on(intake::commit_rate(url, seconds.parse().unwrap()));
        return;
    }
    let size = if arguments.iter().any(|word| word == "--quick") { QUICK } else { WHOLE };
    let only = arguments.iter().find_map(|word| word.strip_prefix("--only="));
    let wanted = |name: &str| only.is_none_or(|only| only.split(',').any(|one| one == name));
    let report = runtime.block_on(measure(size, wanted));
    println!("{}", report.table());
    let file = std::env::var("COUNTERSIGN_BENCH_JSON").unwrap_or_else(|_| "target/bench.json".to_owned());
    std::fs::write(&file, report.json()).unwrap();
    println!("the same as JSON: {file}");
}

async fn measure(size: Size, wanted: impl Fn(&str) -> bool) -> Report {
    let mut report = Report::begin();
    let disks = [Disk::AsItIs, Disk::TwoMillisecondsMore];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for disk in disks {
            if wanted("durable") {
                sequences::against_the_same_calls(engine, disk, size, &mut report).await;
            }
        }
        if wanted("alone") {
            sequences::one_alone(engine, &mut report).await;
        }
        if wanted("zero") {
            sequences::without_latency(engine, size, &mut report).await;
        }
        for disk in disks {
            if wanted("intake") {
                intake::against_single_rows(engine, disk, size, &mut report).await;
            }
        }
        if wanted("leavers") {
            leavers::from_webhook_to_verified(engine, size, &mut report).await;
        }
        if wanted("weight") {
            weight::empty_and_busy(engine, size, &mut report).await;
        }
        if wanted("scale") {
            scale::small_and_large(engine, size, &mut report).await;
        }
    }
    report
}
