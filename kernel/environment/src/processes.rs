//! Ending processes together with those that they have started.

use rustix::process::{Pid, Signal, kill_process};
use std::io::Result;
use std::process::{Command, Stdio};

/// Ends the [`descendants`] of a process.
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

/// The processes that `ancestor` has started, and those that they have started; but not those in `keep`, nor theirs.
pub fn descendants(ancestor: u32, keep: &[u32]) -> Vec<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn a_process_is_ended_with_those_that_it_has_started_but_not_with_those_to_be_kept() {
        // A shell with two more below it, each of which says its own id and that of the `sleep` that it has started.
        let one = "sh -c 'sleep 1000 & echo $$ $!; wait' & ";
        let mut shell = Command::new("sh")
            .args(["-c", &format!("{one}{one}wait")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut ids = || pair(&lines.next().unwrap().unwrap()).unwrap();
        let ((ended, its), (kept, keeps)) = (ids(), ids());
        let sorted = |mut ids: Vec<u32>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(descendants(shell.id(), &[])), sorted(vec![ended, its, kept, keeps]));
        assert_eq!(sorted(descendants(shell.id(), &[kept])), sorted(vec![ended, its]));
        end_descendants(shell.id(), &[kept]);
        // The shell waits for the one that is kept, and has not been touched itself.
        assert_eq!(shell.try_wait().unwrap(), None);
        end_descendants(shell.id(), &[]);
        assert!(shell.wait().unwrap().success(), "all that it waited for has ended");
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let stat = folder.path().join("stat");
        std::fs::write(&stat, "17 (a) S 9 (b) R 5 17 17 0 -1").unwrap();
        assert_eq!(of_proc(&stat), Some((17, 5)));
        assert_eq!(pair("  17     5"), Some((17, 5)));
    }
}
