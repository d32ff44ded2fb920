//! Answers to history requests, from the cells of this session.

use crate::session::Log;
use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest, ReplyStatus};

/// Selects the cells that a client asks for. There is one session, numbered 0.
pub fn select(log: &Log, request: &HistoryRequest) -> HistoryReply {
    let (cells, with_output): (Vec<_>, bool) = match request {
        HistoryRequest::Range { start, stop, output, .. } => {
            let (start, stop) = (*start as usize, if *stop > 0 { *stop as usize } else { usize::MAX });
            (log.inputs.iter().filter(|cell| (start..stop).contains(&cell.0)).collect(), *output)
        }
        HistoryRequest::Tail { n, output, .. } => (last(log.inputs.iter().collect(), *n), *output),
        HistoryRequest::Search { pattern, n, output, unique, .. } => {
            let mut found: Vec<_> = log.inputs.iter().filter(|cell| matches(pattern, &cell.1)).collect();
            if *unique {
                let is_last = |index: usize| found[index + 1..].iter().all(|later| later.1 != found[index].1);
                found = (0..found.len()).filter(|&index| is_last(index)).map(|index| found[index]).collect();
            }
            (last(found, *n), *output)
        }
    };
    let entry = |(number, input, result): &(usize, String, Option<String>)| match with_output {
        true => HistoryEntry::InputOutput(0, *number, (input.clone(), result.clone().unwrap_or_default())),
        false => HistoryEntry::Input(0, *number, input.clone()),
    };
    HistoryReply { history: cells.into_iter().map(entry).collect(), status: ReplyStatus::Ok, error: None }
}

fn last<T>(mut cells: Vec<T>, n: i32) -> Vec<T> {
    let keep = usize::try_from(n).unwrap_or(0).min(cells.len());
    cells.split_off(cells.len() - keep)
}

/// Matches a pattern in which `*` stands for any text and `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len())
            .filter(|&at| text.is_char_boundary(at))
            .any(|at| matches(rest.as_str(), &text[at..])),
        Some(first) => {
            let mut following = text.chars();
            following.next().is_some_and(|next| first == '?' || first == next)
                && matches(rest.as_str(), following.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_cells() {
        for (pattern, text) in [("", ""), ("*", "a\nb"), ("let*", "let ü"), ("?et x*;", "let x = 1;")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches("et*", "let") && !matches("le?", "le") && !matches("a", "ab"));
    }
}
