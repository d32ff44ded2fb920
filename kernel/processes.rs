//! Ending processes together with those that they have started.

use rustix::process::{Pid, Signal, kill_process};
use std::io::Result;
use std::process::{Command, Stdio};

/// Ends the processes that `ancestor` has started, and those that they have started; but not those in `keep`, nor theirs.
///
/// They are stopped first, and looked for until there are no new ones: one that is ended while another is just being
/// started by it would leave that behind, out of reach.
pub fn end_descendants(ancestor: u32, keep: &[u32]) {
    let mut stopped: Vec<u32> = Vec::new();
    loop {
        let found = descendants(ancestor, keep);
        let new: Vec<u32> = found.into_iter().filter(|id| !stopped.contains(id)).collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|&id| signal(id, Signal::STOP));
        stopped.extend(new);
    }
    stopped.into_iter().for_each(|id| signal(id, Signal::KILL));
}

/// Sends a signal. The process may have ended meanwhile.
pub fn signal(id: u32, signal: Signal) {
    if let Some(process) = Pid::from_raw(id as i32) {
        let _ = kill_process(process, signal);
    }
}

fn descendants(ancestor: u32, keep: &[u32]) -> Vec<u32> {
    let processes = all();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let children = processes.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(id, _)| *id);
        found.extend(children.filter(|id| !keep.contains(id)).collect::<Vec<_>>());
    }
    found.split_off(1)
}

/// All processes with their parents.
fn all() -> Vec<(u32, u32)> {
    if let Ok(entries) = std::fs::read_dir("/proc") {
        return entries.flatten().filter_map(|entry| of_proc(&entry.path().join("stat"))).collect();
    }
    of_ps().unwrap_or_default()
}

/// What `ps` knows, but for itself: a process that is new each time would be looked for without end.
fn of_ps() -> Result<Vec<(u32, u32)>> {
    let ps = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).stdout(Stdio::piped()).spawn()?;
    let id = ps.id();
    let output = ps.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(pair).filter(|(other, _)| *other != id).collect())
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
