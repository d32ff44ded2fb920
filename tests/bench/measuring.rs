//! Measurements of processes, for the benchmarks.

use anyhow::{Context, Result};
use std::env;
use std::fs::read_to_string;
use std::process::Command;

/// A number that the environment may set.
pub fn setting(name: &str, default: usize) -> Result<usize> {
    env::var(name).map_or(Ok(default), |value| value.parse().with_context(|| format!("{name}={value}")))
}

/// MiB of a process and its descendants; what they share, among themselves or with others, counts once.
pub fn memory(process: u32) -> Result<f64> {
    Ok(family(process)?.into_iter().filter_map(proportional_share).sum())
}

/// A process and its descendants.
pub fn family(process: u32) -> Result<Vec<u32>> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().context("cannot run ps")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<u32>().ok());
    let pairs: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((number(fields.next())?, number(fields.next())?))
        })
        .collect();
    let mut family = vec![process];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    Ok(family)
}

/// MiB of a process, with its part of what it shares with others.
fn proportional_share(process: u32) -> Option<f64> {
    let memory = read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let share = memory.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(share.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// The value that so many percent do not exceed.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent).div_ceil(100).max(1) - 1]
}
