//! Questions of a running cell to the user.

use crate::message::{JupyterMessage, message};
use jupyter_protocol::{InputReply, InputRequest, JupyterMessageContent};
use jupyter_zmq_client::KernelStdinConnection;
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Asks the user, from a thread of the kernel's own.
#[derive(Clone)]
pub struct Stdin {
    questions: UnboundedSender<Option<Question>>,
}

/// A question and where its answer goes. What drops it unanswered says that there will be no answer.
pub(crate) struct Question {
    message: JupyterMessage,
    answer: mpsc::Sender<String>,
}

impl Question {
    /// Whether this is its answer. A client that says what it answers, which not every client does, may have been late with
    /// another question, which has been withdrawn.
    fn is_answered_by(&self, reply: &JupyterMessage) -> bool {
        let asked = &self.message.header;
        let parent = reply.parent_header.as_ref();
        parent.is_none_or(|parent| parent.msg_type != asked.msg_type || parent.msg_id == asked.msg_id)
    }
}

impl Stdin {
    /// Also returns the end that [`serve`] takes.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Option<Question>>) {
        let (questions, receiver) = unbounded_channel();
        (Self { questions }, receiver)
    }

    /// Waits for the user's answer to a question, which may be empty. `None` says that there will be none: the question was
    /// [withdrawn](Self::cancel), another one was asked in its place, or the kernel ends.
    pub fn ask(&self, request: &JupyterMessage, prompt: String, password: bool) -> Option<String> {
        let (answer, answers) = mpsc::channel();
        let message = message(InputRequest { prompt, password }, Some(request));
        self.questions.send(Some(Question { message, answer })).ok()?;
        answers.recv().ok()
    }

    /// Withdraws the question that waits for its answer, if there is one. Its asker learns of it; what the user may still
    /// answer to it is no answer to the next question.
    pub fn cancel(&self) {
        // The receiver lives as long as the socket.
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
                    tracing::warn!("the question could not be sent: {error}");
                }
                asked = question;
            }
            reply = socket.read() => {
                // Anything else is no answer: the question still waits for one.
                if let Ok(reply) = reply
                    && let JupyterMessageContent::InputReply(InputReply { value, .. }) = &reply.content
                    && let Some(question) = asked.take_if(|question| question.is_answered_by(&reply))
                {
                    // The session no longer waits only when it has ended.
                    let _ = question.answer.send(value.clone());
                }
            }
        }
    }
}
