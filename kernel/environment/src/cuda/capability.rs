//! The compute capability of a GPU, which determines the code that nvcc generates.

use super::toolkit::output_of;
use std::path::Path;
use std::process::Command;

/// The lowest compute capability of this machine's GPUs, from `nvidia-smi`. Code for it usually runs on the others, too.
pub fn of_gpus(nvidia_smi: &Path) -> Option<String> {
    let answer =
        output_of(Command::new(nvidia_smi).args(["--query-gpu=compute_cap", "--format=csv,noheader"]))
            .ok()?;
    answer.lines().filter_map(parse).min_by_key(|capability| capability.parse::<u32>().ok())
}

/// Converts `9.0`, `90` and `90a` to the notation of nvcc: two or three digits, the last of which is the minor version, and
/// perhaps a letter.
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
