//! The threads that all operations of a process share: as many as candle uses.

use candle_core::utils::get_num_threads;
use parallel::Team;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// How long a thread without work stays awake. The operations of a network follow each other closely, and waking a thread
/// takes a sixth of the time of an operation of the course's network.
const AWAKE: Duration = Duration::from_millis(1);

/// [`Team::for_each`] on the threads of this process.
pub fn for_each<I: Send>(items: impl Iterator<Item = I>, f: impl Fn(I) + Sync) {
    static TEAM: OnceLock<Team> = OnceLock::new();
    TEAM.get_or_init(|| Team::new(get_num_threads(), AWAKE)).for_each(items, f);
}

/// What `f` makes of each item, in their order, on the threads of this process.
pub fn map<I: Send, T: Send>(items: impl Iterator<Item = I>, f: impl Fn(I) -> T + Sync) -> Vec<T> {
    let items: Vec<I> = items.collect();
    let results: Vec<Mutex<Option<T>>> = items.iter().map(|_| Mutex::new(None)).collect();
    for_each(items.into_iter().zip(&results), |(item, result)| *result.lock().unwrap() = Some(f(item)));
    results.into_iter().map(|result| result.into_inner().unwrap().expect("each was computed")).collect()
}

/// The number of these threads.
pub fn count() -> usize {
    get_num_threads()
}
