//! Models of the team for loom, which runs each of them with all interleavings of its threads, up to a number of preemptions,
//! and with every value that the memory model lets an atomic load return.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p parallel --lib
//! ```
//!
//! loom reports unsynchronized accesses to a [`Slot`]. So a model fails if a thread may still be inside when `for_each`
//! returns, if its writes may not be visible then, if an item is done twice or never, or if a thread waits for ever.

use super::*;
use loom::cell::UnsafeCell;
use loom::model::Builder as Model;

/// A value that items write without synchronization.
struct Slot(UnsafeCell<usize>);

// SAFETY: loom watches all accesses, and fails the model where two of them could happen at the same time.
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn add_one(&self) {
        // SAFETY: the pointer is valid during the closure, and loom fails the model unless this is the only access.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn get(&self) -> usize {
        // SAFETY: the pointer is valid during the closure, and loom fails the model if anybody may write meanwhile.
        self.0.with(|value| unsafe { *value })
    }
}

/// A duration after which a helper falls asleep at once, and one after which it never does.
const SLEEPY: Duration = Duration::ZERO;
const AWAKE: Duration = Duration::from_secs(1);

/// Explores all interleavings with at most `switches` preemptions: switches away from a thread that could go on.
fn explore(
    switches: usize,
    team: impl Fn() -> Team + Send + Sync + 'static,
    model: impl Fn(&Team) + Send + Sync + 'static,
) {
    let mut builder = Model::new();
    builder.preemption_bound = Some(switches);
    builder.check(move || model(&team()));
}

/// [`explore`] for a caller and a helper of either kind.
fn explore_pair(switches: usize, model: impl Fn(&Team) + Clone + Send + Sync + 'static) {
    for awake in [SLEEPY, AWAKE] {
        explore(switches, move || Team::new(2, awake), model.clone());
    }
}

#[test]
fn each_item_is_done_once_and_its_writes_are_seen_after_the_call() {
    explore_pair(3, |team| {
        let slots = [Slot::new(), Slot::new(), Slot::new()];
        team.for_each(slots.iter(), Slot::add_one);
        assert_eq!(slots.each_ref().map(Slot::get), [1, 1, 1]);
    });
}

#[test]
fn two_helpers_and_the_caller_share_the_items() {
    // Two helpers that never sleep could yield to each other for ever.
    explore(
        2,
        || Team::new(3, SLEEPY),
        |team| {
            let slots = [Slot::new(), Slot::new(), Slot::new()];
            team.for_each(slots.iter(), Slot::add_one);
            assert_eq!(slots.each_ref().map(Slot::get), [1, 1, 1]);
        },
    );
}

#[test]
fn a_helper_that_is_late_for_one_call_does_no_harm_to_the_next() {
    explore_pair(3, |team| {
        for _ in 0..2 {
            let slots = [Slot::new(), Slot::new()];
            team.for_each(slots.iter(), Slot::add_one);
            assert_eq!(slots.each_ref().map(Slot::get), [1, 1]);
        }
    });
}

#[test]
fn a_panic_on_any_thread_reaches_the_caller_when_all_have_stopped() {
    for bad in 0..2 {
        explore_pair(3, move |team| {
            let slots = [Slot::new(), Slot::new()];
            let work = |item: usize| {
                slots[item].add_one();
                if item == bad {
                    resume_unwind(Box::new("gone wrong"));
                }
            };
            let result = catch_unwind(AssertUnwindSafe(|| team.for_each(0..2, work)));
            assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "gone wrong");
            let done = slots.each_ref().map(Slot::get);
            assert!(done[bad] == 1 && done[1 - bad] <= 1, "{done:?}");
            // The team works on.
            let slot = Slot::new();
            team.for_each(std::iter::once(&slot), Slot::add_one);
            assert_eq!(slot.get(), 1);
        });
    }
}

#[test]
fn calls_from_two_threads_at_once_are_answered() {
    let model = |team: Arc<Team>| {
        let slots = [Slot::new(), Slot::new()];
        team.for_each(slots.iter(), Slot::add_one);
        assert_eq!(slots.each_ref().map(Slot::get), [1, 1]);
    };
    for awake in [SLEEPY, AWAKE] {
        let mut builder = Model::new();
        builder.preemption_bound = Some(2);
        builder.check(move || {
            let team = Arc::new(Team::new(2, awake));
            let other = Arc::clone(&team);
            let other = loom::thread::spawn(move || model(other));
            model(team);
            other.join().unwrap();
        });
    }
}

#[test]
fn a_call_within_a_call_is_answered() {
    explore_pair(2, |team| {
        let slots = [Slot::new(), Slot::new()];
        team.for_each(slots.iter(), |slot| team.for_each(std::iter::once(slot), Slot::add_one));
        assert_eq!(slots.each_ref().map(Slot::get), [1, 1]);
    });
}
