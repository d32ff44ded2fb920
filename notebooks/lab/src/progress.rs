//! A progress bar around a loop.

use crate::display::Display;
use crate::live::{Live, Mode};
use crate::plot::escape;
use crate::{Interrupted, check_interrupt, pace};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

/// The time between two redraws, and between two lines where nothing can be redrawn.
const INTERVAL: Duration = Duration::from_millis(100);
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows how far a loop over `items` has come: a bar with the count, the rate and the time left, which changes in place. The
/// number of items comes from [`size_hint`](Iterator::size_hint); if that does not tell, only the count and the rate are shown.
///
/// ```
/// let mut sum = 0;
/// for number in lab::progress(1..=4).label("numbers") {
///     sum += number;
/// }
/// assert_eq!(sum, 10);
/// ```
///
/// The loop ends when the user interrupts the cell: `next` then unwinds with [`Interrupted`], since an iterator has no error to
/// return. Where output cannot change in place, there is a line for each tenth instead, at least a second apart.
pub fn progress<I: IntoIterator>(items: I) -> Progress<I::IntoIter> {
    let items = items.into_iter();
    let total = match items.size_hint() {
        (lower, Some(upper)) if lower == upper => Some(upper),
        _ => None,
    };
    let live = Live::new(INTERVAL);
    let bar = Bar { live, label: String::new(), total, count: 0, start: None, mark: 0, ended: false };
    Progress { items, bar }
}

/// The iterator that [`progress`] returns.
pub struct Progress<I> {
    items: I,
    bar: Bar,
}

impl<I> Progress<I> {
    /// Sets the text before the bar.
    pub fn label(mut self, label: &str) -> Self {
        self.bar.label = label.into();
        self
    }
}

impl<I: Iterator> Iterator for Progress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if check_interrupt().is_err() {
            self.bar.end("interrupted after ");
            // Not a panic, whose message would be printed though the user does not need it.
            resume_unwind(Box::new(Interrupted));
        }
        self.bar.tick();
        let item = self.items.next();
        match item {
            Some(_) => self.bar.count += 1,
            None => self.bar.end(""),
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for Progress<I> {}

struct Bar {
    live: Live,
    label: String,
    total: Option<usize>,
    /// How many items have been handed out.
    count: usize,
    /// When the first item was asked for.
    start: Option<Instant>,
    /// For lines: the tenths, or without a total the seconds, that the last line reported.
    mark: u64,
    ended: bool,
}

impl Bar {
    /// All items handed out so far are done, and another one is asked for.
    fn tick(&mut self) {
        let now = Instant::now();
        if self.ended || !self.live.is_due(now) {
            return;
        }
        let start = *self.start.get_or_insert(now);
        match self.live.mode {
            Mode::Display(_) | Mode::Terminal => self.draw(None),
            Mode::Lines if now - start < LINE_INTERVAL => self.live.rest(LINE_INTERVAL),
            Mode::Lines => self.tell((now - start).as_secs()),
        }
    }

    /// Writes a line if there is news since the last one: another tenth, or without a total twice the time.
    fn tell(&mut self, seconds: u64) {
        let (mark, news) = match self.total {
            Some(total) => (self.count as u64 * 10 / total.max(1) as u64, self.mark + 1),
            None => (seconds, self.mark * 2),
        };
        // The end has a line of its own.
        if mark >= news && Some(self.count) != self.total {
            self.mark = mark;
            self.draw(None);
            self.live.rest(LINE_INTERVAL);
        } else {
            self.live.rest(INTERVAL);
        }
    }

    /// Draws for the last time.
    fn end(&mut self, how: &str) {
        if !self.ended {
            self.ended = true;
            self.draw(Some(how));
        }
    }

    fn draw(&mut self, end: Option<&str>) {
        let numbers = self.numbers(end);
        let Self { live, label, count, total, .. } = self;
        let title = if label.is_empty() { String::new() } else { format!("{label}: ") };
        let (text, html) = match *total {
            None => (format!("{title}{count} items"), format!("{}{count} items", escape(&title))),
            Some(total) => {
                let (percent, filled) = (fraction(*count, total, 100), fraction(*count, total, 20));
                let text = format!("{title}{count}/{total} [{:20}] {percent} %", "=".repeat(filled));
                let html = format!("{}{} {count}/{total}, {percent} %", escape(&title), bar(*count, total));
                (text, html)
            }
        };
        let text = [&[text][..], &numbers].concat().join(", ");
        let html = [&[html][..], &numbers].concat().join(", ");
        match live.mode {
            Mode::Display(_) => live.show(|| Display::html(&format!("<div>{html}</div>")).alt(&text)),
            _ => live.line(&text, end.is_none()),
        }
    }

    /// The rate, and the time that is left or, at the end, that it took.
    fn numbers(&self, end: Option<&str>) -> Vec<String> {
        let time = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        let left = self.total.and_then(|total| pace::left(self.count, total, time));
        let time_text = end.map_or(left, |how| Some(format!("{how}{}", pace::clock(time))));
        [pace::rate(self.count, time, ""), time_text].into_iter().flatten().collect()
    }
}

/// A bar in HTML. The element has the colours of the page's theme, and screen readers understand it.
pub fn bar(done: usize, total: usize) -> String {
    let (value, max) = if total == 0 { (1, 1) } else { (done, total) };
    format!(
        "<progress value=\"{value}\" max=\"{max}\" style=\"width:16em;vertical-align:middle\"></progress>"
    )
}

/// The fraction `done` of `total` as a number of `parts`; all of them only when all is done.
fn fraction(done: usize, total: usize, parts: usize) -> usize {
    if done >= total { parts } else { done * parts / total }
}

impl Drop for Bar {
    /// The loop was left early.
    fn drop(&mut self) {
        if self.start.is_some() && !self.ended {
            // An item whose processing has panicked is not done.
            self.count -= usize::from(thread::panicking() && self.count > 0);
            self.end(if check_interrupt().is_err() { "interrupted after " } else { "stopped after " });
        }
    }
}
