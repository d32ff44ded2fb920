//! Questions of a running cell to the user.

use crate::message::{JupyterMessage, message};
use jupyter_protocol::{InputRequest, JupyterMessageContent};
use jupyter_zmq_client::KernelStdinConnection;
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Asks the user, from the session's thread.
#[derive(Clone)]
pub struct Stdin {
    questions: UnboundedSender<Option<Question>>,
}

/// A question and where its answer goes. What drops it unanswered says that there will be no answer.
pub struct Question {
    message: JupyterMessage,
    answer: mpsc::Sender<String>,
}

impl Stdin {
    /// Also returns the end that [`serve`] takes.
    pub fn new() -> (Self, UnboundedReceiver<Option<Question>>) {
        let (questions, receiver) = unbounded_channel();
        (Self { questions }, receiver)
    }

    /// Waits for the user's answer; `None` when there will be none.
    pub fn ask(&self, request: &JupyterMessage, prompt: String, password: bool) -> Option<String> {
        let (answer, answers) = mpsc::channel();
        let message = message(InputRequest { prompt, password }, Some(request));
        self.questions.send(Some(Question { message, answer })).ok()?;
        answers.recv().ok()
    }

    /// Takes back the question that waits for its answer, if there is one.
    pub fn cancel(&self) {
        // The receiver lives as long as the socket.
        let _ = self.questions.send(None);
    }
}

/// Sends questions and hands the answers back, one after the other.
pub async fn serve(mut socket: KernelStdinConnection, mut questions: UnboundedReceiver<Option<Question>>) {
    let mut asked: Option<Question> = None;
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(question) = question else { return };
                if let Some(Question { message, .. }) = &question
                    && let Err(error) = socket.send(message.clone()).await
                {
                    eprintln!("taper: the question could not be sent: {error}");
                }
                asked = question;
            }
            reply = socket.read() => {
                // Anything else is no answer: the question still waits for one.
                if let Ok(JupyterMessage { content: JupyterMessageContent::InputReply(reply), .. }) = reply
                    && let Some(question) = asked.take()
                {
                    // The session no longer waits only when it has ended.
                    let _ = question.answer.send(reply.value);
                }
            }
        }
    }
}
