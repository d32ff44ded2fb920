//! Questions of a running cell to the user.

use crate::message::{JupyterMessage, message};
use jupyter_protocol::{InputRequest, JupyterMessageContent};
use jupyter_zmq_client::KernelStdinConnection;
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Asks the user, from the session's thread.
#[derive(Clone)]
pub struct Stdin {
    questions: UnboundedSender<Question>,
}

/// A question and where its answer goes.
pub struct Question {
    message: JupyterMessage,
    answer: mpsc::Sender<String>,
}

impl Stdin {
    /// Also returns the end that [`serve`] takes.
    pub fn new() -> (Self, UnboundedReceiver<Question>) {
        let (questions, receiver) = unbounded_channel();
        (Self { questions }, receiver)
    }

    /// Waits for the user's answer; `None` when there will be none.
    pub fn ask(&self, request: &JupyterMessage, prompt: String, password: bool) -> Option<String> {
        let (answer, answers) = mpsc::channel();
        let message = message(InputRequest { prompt, password }, Some(request));
        self.questions.send(Question { message, answer }).ok()?;
        answers.recv().ok()
    }
}

/// Sends questions and hands the answers back, one after the other.
pub async fn serve(mut socket: KernelStdinConnection, mut questions: UnboundedReceiver<Question>) {
    let mut asked: Option<Question> = None;
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(question) = question else { return };
                if let Err(error) = socket.send(question.message.clone()).await {
                    eprintln!("taper: the question could not be sent: {error}");
                }
                asked = Some(question);
            }
            reply = socket.read() => {
                if let (Ok(JupyterMessage { content: JupyterMessageContent::InputReply(reply), .. }), Some(question)) =
                    (reply, asked.take())
                {
                    // The session no longer waits only when it has ended.
                    let _ = question.answer.send(reply.value);
                }
            }
        }
    }
}
