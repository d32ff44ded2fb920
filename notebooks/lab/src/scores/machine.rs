//! What a record says of the machine, and the date.

use std::fs;

/// The model of the processor, as the system names it.
pub fn cpu() -> String {
    let linux = || {
        let info = fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let macos = || {
        let sysctl =
            std::process::Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        Some(String::from_utf8(sysctl.stdout).ok()?.trim().to_owned()).filter(|name| !name.is_empty())
    };
    let found = if cfg!(target_os = "macos") { macos() } else { linux() };
    found.unwrap_or_else(|| std::env::consts::ARCH.into())
}

/// The peak memory of this process in MiB; 0 if the system does not tell.
pub fn peak_memory_mib() -> f64 {
    // Not `getrusage`, which on Linux includes the peak of the process that started this one.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    (kib.unwrap_or(0.0) / 102.4).round() / 10.0
}

/// The seconds that processors have worked for this process, on all cores together. Other work on the machine changes it less than
/// the time on the clock.
pub fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid during the call, which only writes to it.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every system has this clock");
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// The date in UTC, `2026-11-20`.
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::processor_seconds;
    use std::time::Instant;

    #[test]
    fn the_processor_works_as_long_as_a_loop_at_most_on_each_core() {
        let (start, before) = (Instant::now(), processor_seconds());
        while processor_seconds() - before < 0.2 {}
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        // The system may count what other threads have done a few milliseconds late.
        assert!(start.elapsed().as_secs_f64() * cores > 0.1);
    }
}
