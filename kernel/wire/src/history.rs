//! Answers history requests from the cells of this session.

use crate::kernel::PastCell;
use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest, ReplyStatus};
use regex::Regex;

/// The number of this session, the only one.
const SESSION: usize = 0;

/// The cells that a client asks for.
pub fn select(all: &[PastCell], request: &HistoryRequest) -> HistoryReply {
    let cells = all.iter();
    let (cells, with_output): (Vec<_>, bool) = match request {
        HistoryRequest::Range { session, start, stop, output, .. } => {
            let range = range(all, *start, *stop);
            let is_this = session.unwrap_or_default() == SESSION as i32;
            (cells.filter(|cell| is_this && range.contains(&cell.number)).collect(), *output)
        }
        HistoryRequest::Tail { n, output, .. } => (last(cells.collect(), *n), *output),
        HistoryRequest::Search { pattern, n, output, unique, .. } => {
            let pattern = glob(pattern);
            let matches = |text: &str| pattern.as_ref().is_some_and(|pattern| pattern.is_match(text));
            let mut found: Vec<_> = cells.filter(|cell| matches(&cell.code)).collect();
            if *unique {
                let is_last =
                    |index: usize| found[index + 1..].iter().all(|later| later.code != found[index].code);
                found = (0..found.len()).filter(|&index| is_last(index)).map(|index| found[index]).collect();
            }
            (last(found, *n), *output)
        }
    };
    let entry = |PastCell { number, code, result }: &PastCell| match with_output {
        true => {
            HistoryEntry::InputOutput(SESSION, *number, (code.clone(), result.clone().unwrap_or_default()))
        }
        false => HistoryEntry::Input(SESSION, *number, code.clone()),
    };
    HistoryReply { history: cells.into_iter().map(entry).collect(), status: ReplyStatus::Ok, error: None }
}

/// The range that IPython takes these numbers for: negative ones count from the end, and `stop` 0 means no limit.
fn range(all: &[PastCell], start: i32, stop: i32) -> std::ops::Range<usize> {
    let end = all.last().map_or(1, |cell| cell.number + 1);
    let from_end = |number: i32| match usize::try_from(number) {
        Ok(number) => number,
        Err(_) => end.saturating_sub(number.unsigned_abs() as usize),
    };
    from_end(start)..if stop == 0 { end } else { from_end(stop) }
}

fn last<T>(mut cells: Vec<T>, n: i32) -> Vec<T> {
    let keep = usize::try_from(n).unwrap_or(0).min(cells.len());
    cells.split_off(cells.len() - keep)
}

/// A pattern that matches whole cells, in which `*` matches any text and `?` any character. Unlike in IPython, brackets match
/// themselves, because Rust code is full of them. `None` if the pattern is too long.
fn glob(pattern: &str) -> Option<Regex> {
    let pieces = pattern.chars().map(|c| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        _ => regex::escape(c.encode_utf8(&mut [0; 4])),
    });
    Regex::new(&format!("(?s)^{}$", pieces.collect::<String>())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        glob(pattern).unwrap().is_match(text)
    }

    #[test]
    fn patterns_match_whole_cells() {
        let good =
            [("", ""), ("*", "a\nb"), ("let*", "let ü"), ("?et x*;", "let x = 1;"), ("a[0]?", "a[0];")];
        for (pattern, text) in good {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        assert!(
            !matches("et*", "let") && !matches("le?", "le") && !matches("a", "ab") && !matches("a", "a\n")
        );
    }

    #[test]
    fn a_pattern_of_stars_takes_no_longer_than_others() {
        let text = "a".repeat(10_000);
        assert!(!matches(&"a*".repeat(100).replace("a*a", "a*?a"), &format!("{text}b")[..50]));
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &text));
    }

    #[test]
    fn ranges_count_from_either_end() {
        let cell = |number: usize| PastCell { number, code: number.to_string(), result: None };
        let all: Vec<_> = (1..=5).map(cell).collect();
        assert_eq!(range(&all, 2, 4), 2..4);
        assert_eq!(range(&all, 3, 0), 3..6);
        assert_eq!(range(&all, -2, 0), 4..6);
        assert_eq!(range(&all, 1, -1), 1..5);
        assert_eq!(range(&all, -9, 9), 0..9);
        assert_eq!(range(&[], 0, 0), 0..1);
    }
}
