//! The team on real threads.

use super::*;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

const AWAKE: Duration = Duration::from_millis(1);

#[test]
fn each_item_is_done_once_and_a_panic_reaches_the_caller() {
    let team = Team::new(4, AWAKE);
    for round in 0..200 {
        let done = Mutex::new(Vec::new());
        let work = |item| {
            yield_now();
            done.lock().unwrap().push(item);
            if item == round {
                resume_unwind(Box::new("gone wrong"));
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| team.for_each(0..100, work)));
        let panic = result.err().map(|panic| *panic.downcast::<&str>().unwrap());
        assert_eq!(panic, (round < 100).then_some("gone wrong"));
        let mut done = done.into_inner().unwrap();
        done.sort();
        assert!(done.is_sorted_by(|one, next| one < next), "{done:?}");
        assert!(round < 100 || done.len() == 100, "{done:?}");
    }
}

#[test]
fn calls_from_several_threads_and_from_within_are_answered() {
    let (team, sum) = (Team::new(3, AWAKE), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    team.for_each(0..10, |_| {
                        team.for_each(0..10, |item| _ = sum.fetch_add(item, Ordering::Relaxed))
                    });
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), 4 * 100 * 10 * 45);
}

#[test]
fn a_team_of_one_thread_does_all_of_it_on_the_calling_thread() {
    let caller = std::thread::current().id();
    let done = Mutex::new(Vec::new());
    Team::new(1, AWAKE).for_each(0..5, |item| {
        assert_eq!(std::thread::current().id(), caller);
        done.lock().unwrap().push(item);
    });
    assert_eq!(done.into_inner().unwrap(), [0, 1, 2, 3, 4]);
}

/// The caller never waits for a helper that does not come, so only this shows whether one comes at all.
#[test]
fn helpers_that_sleep_are_woken() {
    let team = Team::new(2, Duration::ZERO);
    let is_helped = || {
        let (sender, receiver) = mpsc::channel();
        let (receiver, helped) = (Mutex::new(receiver), AtomicBool::new(false));
        team.for_each(0..2, |item| match item {
            // The caller begins with this one, and would do the other after it.
            0 => {
                let other_is_done = receiver.lock().unwrap().recv_timeout(Duration::from_millis(20));
                helped.store(other_is_done.is_ok(), Ordering::Relaxed);
            }
            _ => sender.send(()).unwrap(),
        });
        helped.into_inner()
    };
    assert!((0..500).any(|_| is_helped()), "no helper has come in 500 calls");
}

#[test]
fn threads_end_with_their_team() {
    let team = Team::new(3, Duration::ZERO);
    let shared = Arc::downgrade(&team.shared);
    team.for_each(0..3, |_| {});
    drop(team);
    assert!(shared.upgrade().is_none(), "a helper still has its part of the team");
}
