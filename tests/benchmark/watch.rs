//! Time and the operating system's books, as the benchmark reads them.

use std::time::{Duration, Instant};

/// Now, on a clock that only goes forward.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the machine's own time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, as dates are written.
#[expect(clippy::disallowed_methods, reason = "the service under measurement runs on the machine's clock")]
pub fn today() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Lets time pass; only ever between two looks at something that is measured elsewhere.
#[expect(clippy::disallowed_methods, reason = "the benchmark looks from outside, again and again")]
pub async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// Processor time that a process has used so far, in milliseconds (proc(5), `stat`, fields utime and stime; Linux
/// counts them in hundredths of a second).
pub fn cpu_ms(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    whole(ticks) * 10.0
}

/// Memory that a process has resident, in MiB (proc(5), `status`: `VmRSS` and `VmHWM`).
pub fn resident_mib(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    whole(kib) / 1024.0
}

/// The middle of several measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        odd if odd.len() % 2 == 1 => odd[middle],
        even => f64::midpoint(even[middle - 1], even[middle]),
    }
}

/// The value that 99 in 100 do not exceed.
pub fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// A count as a measurement.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
pub fn whole(count: u64) -> f64 {
    count as f64
}

/// A list's length as a measurement.
pub fn many<T>(list: &[T]) -> f64 {
    whole(u64::try_from(list.len()).unwrap())
}
