//! Converts formulas in Markdown to MathML, which browsers draw by themselves, so that a page needs no script and no network.

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};
use pulldown_cmark::{Event, Options, Parser};

/// The formulas of texts, `$x$` and `$$x$$`, as MathML. They are replaced by marks before nbconvert runs, which would change
/// MathML, and inserted into its output.
#[derive(Default)]
pub struct Formulas(Vec<String>);

impl Formulas {
    /// Replaces the formulas of a text by marks. Returns the text, and a line for each formula that cannot be converted. Such
    /// formulas stay in the text as TeX. Code is left unchanged.
    pub fn take_from(&mut self, markdown: &str) -> (String, Vec<String>) {
        let converter = LatexToMathML::new(MathCoreConfig::default())
            .expect("the default configuration has no invalid macros");
        let (mut text, mut end) = (String::new(), 0);
        let mut unreadable = Vec::new();
        for (event, range) in Parser::new_ext(markdown, Options::ENABLE_MATH).into_offset_iter() {
            let (formula, display) = match event {
                Event::InlineMath(formula) => (formula, MathDisplay::Inline),
                Event::DisplayMath(formula) => (formula, MathDisplay::Block),
                _ => continue,
            };
            match converter.convert_with_local_state(&formula, display) {
                Ok(mathml) => {
                    text.push_str(&markdown[end..range.start]);
                    text.push_str(&mark(self.0.len()));
                    self.0.push(mathml.mathml);
                    end = range.end;
                }
                Err(error) => {
                    let problem =
                        format!("cannot convert the formula {formula}, so it stays as TeX: {error}");
                    unreadable.push(problem.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
        }
        text.push_str(&markdown[end..]);
        (text, unreadable)
    }

    /// Replaces the marks in a page by their formulas.
    pub fn insert_into(&self, page: &str) -> String {
        let numbered = self.0.iter().enumerate();
        numbered.fold(page.to_owned(), |page, (number, mathml)| page.replace(&mark(number), mathml))
    }
}

/// The mark of the formula with this index, between two characters of Unicode's private use area.
fn mark(number: usize) -> String {
    format!("\u{e000}{number}\u{e001}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_and_nothing_else_become_mathml() {
        let mut formulas = Formulas::default();
        let (text, unreadable) =
            formulas.take_from("Half is $\\frac{1}{2}$, and `$x$` is code.\n\n$$x^2$$\n");
        assert!(unreadable.is_empty(), "{unreadable:?}");
        assert_eq!(text, "Half is \u{e000}0\u{e001}, and `$x$` is code.\n\n\u{e000}1\u{e001}\n");
        assert_eq!(
            formulas.insert_into(&text),
            "Half is <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>, and `$x$` is code.\n\n\
             <math display=\"block\"><msup><mi>x</mi><mn>2</mn></msup></math>\n"
        );
        assert_eq!(formulas.take_from("It costs 5 $ or 6 $.").0, "It costs 5 $ or 6 $.");
    }

    #[test]
    fn a_formula_that_cannot_be_read_stays_as_tex_between_the_others_and_is_named_in_one_line() {
        let mut formulas = Formulas::default();
        let (text, unreadable) = formulas.take_from("$a$, $\\frac{1}$, $b$\n\n$$\\no\nsuch$$\n");
        assert_eq!(text, "\u{e000}0\u{e001}, $\\frac{1}$, \u{e000}1\u{e001}\n\n$$\\no\nsuch$$\n");
        assert_eq!(
            formulas.insert_into(&text),
            "<math><mi>a</mi></math>, $\\frac{1}$, <math><mi>b</mi></math>\n\n$$\\no\nsuch$$\n"
        );
        let [fraction, unknown] = &unreadable[..] else { panic!("{unreadable:?}") };
        assert!(
            fraction.starts_with("cannot convert the formula \\frac{1}, so it stays as TeX: "),
            "{fraction}"
        );
        assert!(
            unknown.starts_with("cannot convert the formula \\no such, so it stays as TeX: "),
            "{unknown}"
        );
        assert!(!unreadable.concat().contains('\n'));
    }

    #[test]
    fn whatever_stands_between_dollars_becomes_mathml_or_stays_as_it_is() {
        let odd = [
            "{",
            "}",
            "\\",
            "^",
            "_",
            "&",
            "#1",
            "%",
            "~",
            "x^y^z",
            "\\frac",
            "\\sqrt[",
            "\\text{",
            "\\left(",
            "\\right)",
            "\\begin{matrix}",
            "\\end{x}",
            "\\begin{x}a\\end{y}",
            "\\def\\x{\\x}\\x",
            "\\color{",
            "\\limits",
            "\\over",
            "\u{e000}0",
            "\\mathbb{é}",
            "\\hspace{9e999em}",
            "'",
            "\\operatorname{",
            "\\middle|",
            "a\\\\b",
            "\\hline",
            "\u{0}",
        ];
        for formula in odd {
            let (mut formulas, tex) = (Formulas::default(), format!("${formula}$"));
            let (text, unreadable) = formulas.take_from(&tex);
            let page = formulas.insert_into(&text);
            assert!(page.starts_with("<math>") || page == tex, "{tex} became {page}");
            assert!(unreadable.is_empty() || page == tex, "{unreadable:?}");
        }
    }
}
