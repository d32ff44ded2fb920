//! Formulas in Markdown become MathML, which browsers draw by themselves: a page with formulas needs no script, and no network.

use anyhow::{Context, Result, anyhow};
use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};
use pulldown_cmark::{Event, Options, Parser};

/// Formulas that were taken out of texts, `$x$` and `$$x$$`, as MathML. nbconvert would take them to pieces.
#[derive(Default)]
pub struct Formulas(Vec<String>);

impl Formulas {
    /// The text with marks in the place of its formulas. Code stays as it is.
    ///
    /// # Errors
    /// When a formula cannot be understood.
    pub fn take_from(&mut self, markdown: &str) -> Result<String> {
        let converter =
            LatexToMathML::new(MathCoreConfig::default()).map_err(|(error, ..)| anyhow!("{error:?}"))?;
        let (mut text, mut end) = (String::new(), 0);
        for (event, place) in Parser::new_ext(markdown, Options::ENABLE_MATH).into_offset_iter() {
            let (formula, display) = match event {
                Event::InlineMath(formula) => (formula, MathDisplay::Inline),
                Event::DisplayMath(formula) => (formula, MathDisplay::Block),
                _ => continue,
            };
            let mathml = converter.convert_with_local_state(&formula, display);
            let mathml = mathml
                .map_err(|error| anyhow!("{error}"))
                .with_context(|| format!("the formula {formula}"))?;
            text.push_str(&markdown[end..place.start]);
            text.push_str(&mark(self.0.len()));
            self.0.push(mathml.mathml);
            end = place.end;
        }
        text.push_str(&markdown[end..]);
        Ok(text)
    }

    /// Puts the formulas where their marks are.
    pub fn put_into(&self, page: &str) -> String {
        let numbered = self.0.iter().enumerate();
        numbered.fold(page.to_owned(), |page, (number, mathml)| page.replace(&mark(number), mathml))
    }
}

/// Characters that nobody else uses, around a number.
fn mark(number: usize) -> String {
    format!("\u{e000}{number}\u{e001}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_and_nothing_else_become_mathml() {
        let mut formulas = Formulas::default();
        let text = formulas.take_from("Half is $\\frac{1}{2}$, and `$x$` is code.\n\n$$x^2$$\n").unwrap();
        assert_eq!(text, "Half is \u{e000}0\u{e001}, and `$x$` is code.\n\n\u{e000}1\u{e001}\n");
        assert_eq!(
            formulas.put_into(&text),
            "Half is <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>, and `$x$` is code.\n\n\
             <math display=\"block\"><msup><mi>x</mi><mn>2</mn></msup></math>\n"
        );
        assert_eq!(formulas.take_from("It costs 5 $ or 6 $.").unwrap(), "It costs 5 $ or 6 $.");
    }

    #[test]
    fn a_formula_that_is_none_is_named() {
        let error = format!("{:#}", Formulas::default().take_from("$\\frac{1}$").unwrap_err());
        assert!(error.starts_with("the formula \\frac{1}: "), "{error}");
    }
}
