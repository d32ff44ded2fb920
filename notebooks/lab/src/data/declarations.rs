//! The Universal Declaration of Human Rights in many languages.

use super::{Corpus, Error, Known, Texts, places, shuffled};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A line for each paragraph: its language, its article, its text.
const FILE: Known = Known {
    name: "declarations.tsv",
    size: 952_834,
    sha256: "b5c16d63bd6216a2f04f8b49b2ea3d0ec076f7b6a86ef30fc7c9e2d74dd721ea",
};
/// The articles to test on are those whose number can be divided by this.
const EVERY: usize = 5;

/// 3,789 paragraphs of the Universal Declaration of Human Rights (1948) in 64 languages, which are the classes: to train on those of the
/// preamble and of most articles, to test on those of the articles 5, 10, …, 30. Their order is random, but always the same.
///
/// They come with the course, in its folder `assets/declarations`. Looks in the folder `DECLARATIONS_DIR` if that is set, else for
/// `assets/declarations` in the current folder and those above it.
///
/// # Errors
/// When the folder is not found, or its file is missing or damaged.
pub fn declarations() -> Result<Corpus, Error> {
    from_folder(&places::assets("declarations", "DECLARATIONS_DIR")?)
}

fn from_folder(folder: &Path) -> Result<Corpus, Error> {
    let file = String::from_utf8_lossy(&FILE.read_file(&folder.join(FILE.name))?).into_owned();
    // The checksum matches, so all lines are as expected.
    let lines = file.lines().skip(1).filter_map(|line| {
        let (language, rest) = line.split_once('\t')?;
        let (article, text) = rest.split_once('\t')?;
        Some((language, article.parse::<usize>().ok()?, text))
    });
    let lines: Vec<(&str, usize, &str)> = lines.collect();
    let names: BTreeSet<&str> = lines.iter().map(|(language, ..)| *language).collect();
    let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
    let part = |part: &str, belongs: &dyn Fn(usize) -> bool| {
        let lines: Vec<_> = lines.iter().filter(|(_, article, _)| belongs(*article)).collect();
        let order = shuffled(lines.len(), 0).into_iter();
        let examples = order.map(|at| {
            let (language, _, text) = lines[at as usize];
            let class = names.iter().position(|name| name == language).unwrap_or(0);
            (text.to_string(), class as u8)
        });
        Texts::new(format!("declarations, {part}"), names.clone(), examples.collect())
    };
    let is_tested = |article: usize| article > 0 && article.is_multiple_of(EVERY);
    Ok(Corpus {
        name: "declarations".into(),
        train: part("training", &|article| !is_tested(article)),
        test: part("test", &is_tested),
    })
}
