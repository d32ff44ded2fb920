//! Ends processes together with their descendants.

use rustix::process::{Pid, Signal, kill_process};
use std::io::Result;
use std::process::{Command, Stdio};

/// Kills the [`descendants`] of a process.
///
/// They are stopped first, and searched for until no new ones appear. If a process were killed while it starts another one,
/// the new process would become an orphan and could no longer be found.
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

/// Sends a signal to a process. It is no error if the process has ended.
pub fn signal(id: u32, signal: Signal) {
    if let Some(process) = Pid::from_raw(id as i32) {
        let _ = kill_process(process, signal);
    }
}

/// The direct and indirect children of a process, except those in `keep` and their descendants.
pub fn descendants(ancestor: u32, keep: &[u32]) -> Vec<u32> {
    let processes = all_processes();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let children = processes.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(id, _)| *id);
        found.extend(children.filter(|id| !keep.contains(id)).collect::<Vec<_>>());
    }
    found.split_off(1)
}

/// The ids of all processes, each with the id of its parent.
fn all_processes() -> Vec<(u32, u32)> {
    if let Ok(entries) = std::fs::read_dir("/proc") {
        return entries.flatten().filter_map(|entry| read_stat(&entry.path().join("stat"))).collect();
    }
    list_with_ps().unwrap_or_default()
}

/// The processes that `ps` lists, except `ps` itself: it is a new descendant each time, so the search would never end.
fn list_with_ps() -> Result<Vec<(u32, u32)>> {
    let ps = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).stdout(Stdio::piped()).spawn()?;
    let id = ps.id();
    let output = ps.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(pair).filter(|(other, _)| *other != id).collect())
}

/// Reads `id (name) state parent …`, where the name may contain any characters.
fn read_stat(stat: &std::path::Path) -> Option<(u32, u32)> {
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
        assert_eq!(read_stat(&stat), Some((17, 5)));
        assert_eq!(pair("  17     5"), Some((17, 5)));
    }
}
