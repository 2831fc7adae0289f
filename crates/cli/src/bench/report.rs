//! Bench: the figures of a run, and the bound each is held against.

use crate::output::say;
use serde_json::{Value, json};

/// A measured figure.
#[derive(Debug)]
struct Line {
    measurement: String,
    figure: String,
    bound: Option<String>,
    holds: Option<bool>,
    value: f64,
}

/// Figures in the order they were taken.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Line>);

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Report {
    /// Notes a figure without a bound.
    pub(crate) fn note(&mut self, measurement: impl Into<String>, value: f64, figure: impl Into<String>) {
        let line =
            Line { measurement: measurement.into(), figure: figure.into(), bound: None, holds: None, value };
        eprintln!("{}: {}", line.measurement, line.figure);
        self.0.push(line);
    }

    /// Holds a figure against its bound.
    pub(crate) fn check(&mut self, measurement: impl Into<String>, value: f64, unit: &str, bound: Bound) {
        let (text, holds) = match bound {
            Bound::AtLeast(least) => (format!("at least {least}{unit}"), value >= least),
            Bound::AtMost(most) => (format!("at most {most}{unit}"), value <= most),
        };
        let line = Line {
            measurement: measurement.into(),
            figure: format!("{value:.2}{unit}"),
            bound: Some(text),
            holds: Some(holds),
            value,
        };
        eprintln!(
            "{}: {} ({}{})",
            line.measurement,
            line.figure,
            line.bound.as_deref().unwrap_or(""),
            if holds { "" } else { ", MISSED" }
        );
        self.0.push(line);
    }

    /// Prints all of it: a table in Markdown, ready for BENCHMARKS.md, or JSON.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            let lines: Vec<Value> = self
                .0
                .iter()
                .map(|l| json!({"measurement": l.measurement, "value": l.value, "figure": l.figure, "bound": l.bound, "holds": l.holds}))
                .collect();
            say!("{:#}", Value::Array(lines));
            return;
        }
        say!("| measurement | figure | asked for | holds |\n|---|---|---|---|");
        for line in &self.0 {
            let holds = line.holds.map_or("", |holds| if holds { "yes" } else { "no" });
            say!(
                "| {} | {} | {} | {holds} |",
                line.measurement,
                line.figure,
                line.bound.as_deref().unwrap_or("")
            );
        }
    }
}
