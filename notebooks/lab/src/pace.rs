//! How fast work progresses, and how long it will still take, in words.

use std::time::Duration;

/// Minutes and seconds, `2:01`, and hours where there are any, `1:02:01`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `3.9/s`, with a unit `3.9 steps/s`, or `2.5 s each`. None before anything is done.
pub fn rate(done: usize, time: Duration, unit: &str) -> Option<String> {
    let seconds = time.as_secs_f64();
    if done == 0 || seconds == 0.0 {
        return None;
    }
    let rate = done as f64 / seconds;
    Some(match rate {
        1e6.. => format!("{:.1} million{unit}/s", rate / 1e6),
        100.0.. => format!("{rate:.0}{unit}/s"),
        1.0.. => format!("{rate:.1}{unit}/s"),
        _ => format!("{:.1} s each", 1.0 / rate),
    })
}

/// `1:01 left`, if it goes on at this rate. None before anything is done, and when all is done.
pub fn left(done: usize, total: usize, time: Duration) -> Option<String> {
    if done == 0 || done >= total {
        return None;
    }
    let left = time.as_secs_f64() * (total - done) as f64 / done as f64;
    Some(format!("{} left", clock(Duration::try_from_secs_f64(left.round()).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_short() {
        let seconds = Duration::from_secs_f64;
        let clocks = [0.9, 9.0, 121.0, 3599.0, 3721.0].map(|time| clock(seconds(time)));
        assert_eq!(clocks, ["0:00", "0:09", "2:01", "59:59", "1:02:01"]);
        let rates = [3_000_000, 1000, 39, 4].map(|done| rate(done, seconds(10.0), " steps").unwrap());
        assert_eq!(rates, ["300000 steps/s", "100 steps/s", "3.9 steps/s", "2.5 s each"]);
        assert_eq!(rate(3_000_000, seconds(2.0), "").unwrap(), "1.5 million/s");
        assert_eq!((rate(0, seconds(1.0), ""), rate(1, Duration::ZERO, "")), (None, None));
        assert_eq!(left(10, 40, seconds(20.3)).unwrap(), "1:01 left");
        assert_eq!((left(0, 40, seconds(20.0)), left(40, 40, seconds(20.0))), (None, None));
    }
}
