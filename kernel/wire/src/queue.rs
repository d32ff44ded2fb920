//! The queues of the tasks that write to sockets.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// The next element of a queue. `None` when the kernel closes and the queue is empty.
pub async fn next<T>(queue: &mut UnboundedReceiver<T>, closing: &mut watch::Receiver<bool>) -> Option<T> {
    tokio::select! {
        biased;
        next = queue.recv() => next,
        // The runtime makes tasks yield now and then, and `recv` is then pending although the queue is not empty.
        _ = closing.wait_for(|closing| *closing) => queue.try_recv().ok(),
    }
}
