//! Writes the index page: a table of the notebooks, and the chart of their scores.

use crate::notebook;
use jupyter_protocol::MediaType;
use nbformat::v4::{Cell, Notebook, Output};
use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};
use regex::Regex;
use std::sync::LazyLock;

/// The template of the page.
const PAGE: &str = include_str!("html/course.html");

/// The index page of notebooks, which are given with the names of their pages.
pub fn index(notebooks: &[(String, Notebook)]) -> String {
    let rows: String = notebooks
        .iter()
        .map(|(page, notebook)| part(notebook).map(heading).unwrap_or_default() + &row(page, notebook))
        .collect();
    let minutes: u32 = notebooks.iter().filter_map(|(_, notebook)| minutes(notebook)).sum();
    let chart = notebooks.iter().find_map(|(_, notebook)| score_chart(notebook)).unwrap_or_default();
    let parts = [
        ("{rows}", rows),
        ("{chart}", chart),
        ("{time}", duration(minutes)),
        ("{version}", env!("CARGO_PKG_VERSION").into()),
    ];
    parts.into_iter().fold(PAGE.to_owned(), |page, (place, part)| page.replace(place, &part))
}

/// The part of the course that begins with a notebook: a line such as `*Part two: Beyond digits*` of its first Markdown cell.
fn part(notebook: &Notebook) -> Option<String> {
    let introduction = introduction(notebook)?;
    introduction
        .lines()
        .find_map(|line| line.starts_with("*Part ").then(|| line.trim().trim_matches('*').to_owned()))
}

/// The row over the notebooks of a part.
fn heading(part: String) -> String {
    format!("<tr>\n<th colspan=\"3\" scope=\"rowgroup\">{}</th>\n</tr>\n", escape(&part))
}

/// The row of a notebook: its picture, its title, what the reader learns, and how many minutes it takes.
fn row(page: &str, notebook: &Notebook) -> String {
    let (href, name) =
        (escape(page), title(notebook).unwrap_or_else(|| page.trim_end_matches(".html").to_owned()));
    let picture =
        thumbnail(notebook).map(|source| format!("<img src=\"{source}\" alt=\"\">")).unwrap_or_default();
    let time = minutes(notebook).map(|minutes| format!("{minutes}\u{a0}min")).unwrap_or_default();
    format!(
        "<tr>\n<td>{picture}</td>\n<td><a href=\"{href}\">{}</a>\n{}</td>\n<td>{time}</td>\n</tr>\n",
        escape(&name),
        learned(notebook)
    )
}

/// The first heading of a notebook.
pub fn title(notebook: &Notebook) -> Option<String> {
    let texts = notebook.cells.iter().filter(|cell| matches!(cell, Cell::Markdown { .. }));
    // Some programs save the text of a cell as one string rather than as a list of lines.
    texts.map(|cell| cell.source().concat()).find_map(|text| {
        text.lines().find_map(|line| line.strip_prefix("# ")).map(|title| title.trim().to_owned())
    })
}

/// How many minutes a notebook takes, from its first Markdown cell.
fn minutes(notebook: &Notebook) -> Option<u32> {
    static MINUTES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(\d+) minutes").expect("the pattern is valid"));
    MINUTES.captures(&introduction(notebook)?)?[1].parse().ok()
}

/// What the reader learns: the first list of the first Markdown cell, as HTML.
fn learned(notebook: &Notebook) -> String {
    let introduction = introduction(notebook).unwrap_or_default();
    let is_outside = |event: &Event| !matches!(event, Event::Start(Tag::List(_)));
    let mut depth = 0;
    let list = Parser::new(&introduction).skip_while(is_outside).take_while(|event| {
        let before = depth;
        match event {
            Event::Start(Tag::List(_)) => depth += 1,
            Event::End(TagEnd::List(_)) => depth -= 1,
            _ => {}
        }
        before > 0 || depth > 0
    });
    let mut text = String::new();
    html::push_html(&mut text, list);
    text
}

/// The text of the first Markdown cell.
fn introduction(notebook: &Notebook) -> Option<String> {
    let first = notebook.cells.iter().find(|cell| matches!(cell, Cell::Markdown { .. }))?;
    Some(first.source().concat())
}

/// The picture in the output of the cell tagged `thumbnail`, as a data URI. Of an animation, it is one frame.
fn thumbnail(notebook: &Notebook) -> Option<String> {
    static PICTURE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"src(?:set)?="(data:[^"]+)""#).expect("the pattern is valid"));
    let html = html_output(notebook, "thumbnail")?;
    Some(PICTURE.captures(&html)?[1].to_owned())
}

/// The output of the cell tagged `score-chart`, as HTML.
fn score_chart(notebook: &Notebook) -> Option<String> {
    html_output(notebook, "score-chart")
}

/// The first HTML output of the cell with a tag.
fn html_output(notebook: &Notebook, tag: &str) -> Option<String> {
    let outputs = notebook.cells.iter().find_map(|cell| match cell {
        Cell::Code { outputs, .. } if notebook::has_tag(cell, tag) => Some(outputs),
        _ => None,
    })?;
    outputs.iter().find_map(|output| {
        let data = match output {
            Output::DisplayData(display) => &display.data,
            Output::ExecuteResult(result) => &result.data,
            _ => return None,
        };
        data.content.iter().find_map(|media| match media {
            MediaType::Html(html) => Some(html.clone()),
            _ => None,
        })
    })
}

/// Formats minutes as in `3 h 50 min`.
fn duration(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}\u{a0}min"),
        (hours, minutes) => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
