//! Ending processes together with those that they have started.

use rustix::process::{Pid, Signal, kill_process};
use std::process::Command;

/// Ends the processes that `ancestor` has started, and those that they have started; but not `keep`, nor its own.
pub fn end_descendants(ancestor: u32, keep: Option<u32>) {
    let processes = all();
    let mut ending = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = ending.get(next) {
        next += 1;
        let children = processes.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(id, _)| *id);
        ending.extend(children.filter(|id| Some(*id) != keep).collect::<Vec<_>>());
    }
    for id in &ending[1..] {
        if let Some(process) = Pid::from_raw(*id as i32) {
            // It may have ended meanwhile.
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// All processes with their parents.
fn all() -> Vec<(u32, u32)> {
    if let Ok(entries) = std::fs::read_dir("/proc") {
        return entries.flatten().filter_map(|entry| of_proc(&entry.path().join("stat"))).collect();
    }
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(pair).collect()
}

/// Reads `id (name) state parent …`, where the name may hold anything.
fn of_proc(stat: &std::path::Path) -> Option<(u32, u32)> {
    let stat = std::fs::read_to_string(stat).ok()?;
    let (id, rest) = stat.split_once(" (")?;
    let parent = rest.rsplit_once(") ")?.1.split(' ').nth(1)?;
    Some((id.parse().ok()?, parent.parse().ok()?))
}

fn pair(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
