//! What was measured, beside its goal: as a table for people and as JSON for programs.

use serde_json::{Value, json};

/// What a measured value must not exceed, or must reach.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing is asked; the value is told.
    Told,
}

/// One measured value.
struct Figure {
    name: String,
    measured: f64,
    unit: &'static str,
    goal: Goal,
    beside: String,
}

/// Everything that was measured in one run.
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    pub fn begin() -> Self {
        Self { figures: Vec::new() }
    }

    /// Adds a value; `beside` says what it was compared with.
    pub fn add(&mut self, name: String, (measured, unit): (f64, &'static str), goal: Goal, beside: String) {
        let figure = Figure { name, measured, unit, goal, beside };
        println!("{}", figure.line());
        self.figures.push(figure);
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut lines = vec![
            String::new(),
            machine(),
            String::new(),
            "| what | measured | goal | | measured beside it |".to_owned(),
            "| --- | ---: | ---: | --- | --- |".to_owned(),
        ];
        lines.extend(self.figures.iter().map(Figure::line));
        let missed = self.figures.iter().filter(|figure| figure.verdict() == "missed").count();
        lines.push(String::new());
        lines.push(format!("{} values, {missed} goals missed", self.figures.len()));
        lines.join("\n")
    }

    /// For programs.
    pub fn json(&self) -> String {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "name": figure.name, "measured": figure.measured, "unit": figure.unit,
                    "goal": figure.goal_in_words(), "verdict": figure.verdict(), "beside": figure.beside,
                })
            })
            .collect();
        let whole = json!({ "machine": machine(), "figures": figures });
        format!("{whole:#}\n")
    }
}

impl Figure {
    fn goal_in_words(&self) -> String {
        match self.goal {
            Goal::AtLeast(value) => format!("≥ {} {}", told(value), self.unit),
            Goal::AtMost(value) => format!("≤ {} {}", told(value), self.unit),
            Goal::Told => "–".to_owned(),
        }
    }

    fn verdict(&self) -> &'static str {
        let met = match self.goal {
            Goal::AtLeast(value) => self.measured >= value,
            Goal::AtMost(value) => self.measured <= value,
            Goal::Told => return "",
        };
        if met { "met" } else { "missed" }
    }

    fn line(&self) -> String {
        let Self { name, measured, unit, beside, .. } = self;
        format!(
            "| {name} | {} {unit} | {} | {} | {beside} |",
            told(*measured),
            self.goal_in_words(),
            self.verdict()
        )
    }
}

/// A value with as many digits as it deserves.
pub fn told(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The machine, as it tells of itself.
fn machine() -> String {
    let first = |file: &str, begins: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(begins)).unwrap_or_default().to_owned();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{} ({cores} cores), memory {}, {}",
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
    )
}
