//! The compute capability of a GPU, which says what to compile for.

use super::toolkit::read;
use std::path::Path;
use std::process::Command;

/// The lowest of all GPUs, by `nvidia-smi`: what is compiled for it runs on the others, as a rule.
pub fn of_gpus(nvidia_smi: &Path) -> Option<String> {
    let answer =
        read(Command::new(nvidia_smi).args(["--query-gpu=compute_cap", "--format=csv,noheader"])).ok()?;
    answer.lines().filter_map(parse).min_by_key(|capability| capability.parse::<u32>().ok())
}

/// Reads `9.0`, `90` and `90a` as nvcc writes them: at least two digits, the last of which stands after the point.
pub fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    let number = text.strip_suffix(['a', 'f']).unwrap_or(text);
    let digits = match number.split_once('.') {
        Some((major, minor)) if minor.len() == 1 => format!("{major}{minor}"),
        Some(_) => return None,
        None => number.to_owned(),
    };
    let is_one = (2..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits + &text[number.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compute_capabilities_are_read_in_every_way_they_are_written() {
        let read = |text| parse(text).unwrap_or_default();
        for (text, expected) in
            [("90", "90"), (" 9.0\n", "90"), ("90a", "90a"), ("12.1", "121"), ("100f", "100f")]
        {
            assert_eq!(read(text), expected);
        }
        for text in ["", "9", "sm_90", "9.00", "9.", "-1", "H100", "9000", "[N/A]"] {
            assert_eq!(read(text), "", "{text}");
        }
    }
}
