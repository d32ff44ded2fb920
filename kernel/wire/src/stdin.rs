//! Questions to the user from a running cell.

use crate::message::{JupyterMessage, message};
use jupyter_protocol::{InputReply, InputRequest, JupyterMessageContent};
use jupyter_zmq_client::KernelStdinConnection;
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Asks the user, from any thread of the kernel.
#[derive(Clone)]
pub struct Stdin {
    questions: UnboundedSender<Option<Question>>,
}

/// A question, and the channel for its answer. Dropping it unanswered tells the asker that there will be no answer.
pub(crate) struct Question {
    message: JupyterMessage,
    answer: mpsc::Sender<String>,
}

impl Question {
    /// Whether `reply` answers this question, rather than an earlier one that was withdrawn. Not every client names the
    /// question in its reply; a reply without one answers the current question.
    fn is_answered_by(&self, reply: &JupyterMessage) -> bool {
        let asked = &self.message.header;
        let parent = reply.parent_header.as_ref();
        parent.is_none_or(|parent| parent.msg_type != asked.msg_type || parent.msg_id == asked.msg_id)
    }
}

impl Stdin {
    /// Creates the asking side, and the receiver for [`serve`].
    pub(crate) fn new() -> (Self, UnboundedReceiver<Option<Question>>) {
        let (questions, receiver) = unbounded_channel();
        (Self { questions }, receiver)
    }

    /// Asks the user a question and waits for the answer, which may be empty. `None` if there will be no answer: the question
    /// was [withdrawn](Self::cancel) or replaced by another one, or the kernel ends.
    pub fn ask(&self, request: &JupyterMessage, prompt: String, password: bool) -> Option<String> {
        let (answer, answers) = mpsc::channel();
        let message = message(InputRequest { prompt, password }, Some(request));
        self.questions.send(Some(Question { message, answer })).ok()?;
        answers.recv().ok()
    }

    /// Withdraws the question that waits for its answer, if there is one. Its asker gets `None`. A late answer to it is not
    /// taken for an answer to the next question.
    pub fn cancel(&self) {
        // The receiver is gone only when the kernel ends, and then no question waits.
        let _ = self.questions.send(None);
    }
}

/// Sends questions and hands the answers back, one after the other.
pub(crate) async fn serve(
    mut socket: KernelStdinConnection,
    mut questions: UnboundedReceiver<Option<Question>>,
) {
    let mut asked: Option<Question> = None;
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(question) = question else { return };
                if let Some(Question { message, .. }) = &question
                    && let Err(error) = socket.send(message.clone()).await
                {
                    tracing::warn!("cannot send a question to the user: {error}");
                }
                asked = question;
            }
            reply = socket.read() => {
                // Any other message is ignored, and the question still waits for its answer.
                if let Ok(reply) = reply
                    && let JupyterMessageContent::InputReply(InputReply { value, .. }) = &reply.content
                    && let Some(question) = asked.take_if(|question| question.is_answered_by(&reply))
                {
                    // The asker has stopped waiting only if the session has ended.
                    let _ = question.answer.send(value.clone());
                }
            }
        }
    }
}
