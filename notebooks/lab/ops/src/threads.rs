//! The threads that all operations of a process share: as many as candle uses.

use candle_core::utils::get_num_threads;
use parallel::Team;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a thread without work stays awake. The operations of a network follow each other closely, and waking a thread
/// takes a sixth of the time of an operation of the course's network.
const AWAKE: Duration = Duration::from_millis(1);

/// [`Team::for_each`] on the threads of this process.
pub fn for_each<I: Send>(items: impl Iterator<Item = I>, f: impl Fn(I) + Sync) {
    static TEAM: OnceLock<Team> = OnceLock::new();
    TEAM.get_or_init(|| Team::new(get_num_threads(), AWAKE)).for_each(items, f);
}

/// The number of these threads.
pub fn count() -> usize {
    get_num_threads()
}
