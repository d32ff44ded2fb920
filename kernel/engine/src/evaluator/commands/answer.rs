//! The answers of commands, as text and perhaps also as HTML.

use crate::evaluator::Data;

/// The answer of a command.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub html: Option<String>,
}

impl Answer {
    pub fn line(text: impl Into<String>) -> Self {
        Self { text: text.into() + "\n", html: None }
    }

    /// Adds the answer of the next command.
    pub fn append(&mut self, next: Self) {
        if self.html.is_some() || next.html.is_some() {
            let html = |answer: &Self| match &answer.html {
                Some(html) => html.clone(),
                None if answer.text.is_empty() => String::new(),
                None => format!("<pre>{}</pre>", escaped(&answer.text)),
            };
            self.html = Some(html(self) + &html(&next));
        }
        if !(self.text.is_empty() || self.text.ends_with('\n')) {
            self.text.push('\n');
        }
        self.text.push_str(&next.text);
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.html.is_none()
    }

    pub fn into_data(self) -> Data {
        let mut data = Data::new();
        if !self.is_empty() {
            data.insert("text/plain".into(), self.text.into());
        }
        data.extend(self.html.map(|html| ("text/html".into(), html.into())));
        data
    }
}

/// Escapes text for HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_html_each_hold_the_answers_of_all_commands() {
        let mut answer = Answer::default();
        answer.append(Answer::line("Timing: true"));
        assert_eq!(answer, Answer { text: "Timing: true\n".into(), html: None });
        answer.append(Answer { text: "x: i32".into(), html: Some("<table></table>".into()) });
        answer.append(Answer::line("a < b"));
        let html = "<pre>Timing: true\n</pre><table></table><pre>a &lt; b\n</pre>";
        assert_eq!(answer, Answer { text: "Timing: true\nx: i32\na < b\n".into(), html: Some(html.into()) });
    }
}
