//! Pictures, tables and formatted text in a cell's output, shown at once and in order with what is printed.
//!
//! Much is shown without these functions when a cell ends in it: lists of structs that implement `serde::Serialize` as tables,
//! tensors as matrices, images as pictures, JSON as JSON.
//!
//! ```
//! use lab::display::Display;
//!
//! let display = Display::markdown("**92 %**").alt("92 %");
//! assert_eq!(display.content("text/markdown"), Some("**92 %**"));
//! assert_eq!(display.content("text/plain"), Some("92 %"));
//! assert_eq!(display.content("text/html"), None);
//! ```

pub(crate) mod array;
mod cell;
mod ends;
mod grid;
pub(crate) mod json;
mod numbers;
pub(crate) mod picture;
mod row;
pub(crate) mod table;
pub(crate) mod tensor;

/// What a display becomes on its way to the kernel.
pub use messages as format;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use messages::Request;
use serde::Serialize;
use serde_json::{Map, Value};
use std::env;
use std::io::{Write, stdout};

/// Something to show, in one or several representations, of which the notebook takes the richest that it can show.
///
/// A cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Display {
    data: Map<String, Value>,
}

/// Shows HTML.
pub fn html(html: &str) {
    Display::html(html).show();
}

/// Shows an SVG drawing.
pub fn svg(svg: &str) {
    Display::svg(svg).show();
}

/// Shows a PNG image, given as the bytes of its file.
pub fn png(png: &[u8]) {
    Display::png(png).show();
}

/// Shows Markdown.
pub fn markdown(markdown: &str) {
    Display::markdown(markdown).show();
}

/// Shows a table of rows: structs, maps, tuples or single values, from a list, a slice or any iterator. A cell that ends in a list of
/// structs shows the same without it.
///
/// The fields of structs, the keys of maps and the parts of tuples are columns; any other value is one column. The table has a line with its shape, the
/// names and types of the columns, and the first and last rows.
pub fn table<T: Serialize>(rows: impl IntoIterator<Item = T>) {
    Display::table(rows).show();
}

/// Empties the output of the cell; with `wait` only when the next output comes, which avoids flicker.
///
/// Does nothing outside the taper kernel.
pub fn clear(wait: bool) {
    if let Target::Taper = Target::from_env() {
        send(&Request::ClearOutput { wait });
    }
}

impl Display {
    /// HTML, which stands for itself as `[HTML]` where only text can be shown.
    pub fn html(html: &str) -> Self {
        Self::new("text/html", html.into(), "[HTML]")
    }

    /// An SVG drawing: its `<svg>` element.
    pub fn svg(svg: &str) -> Self {
        Self::new("image/svg+xml", svg.into(), "[SVG drawing]")
    }

    /// A PNG image, from the bytes of its file.
    pub fn png(png: &[u8]) -> Self {
        Self::new("image/png", BASE64.encode(png), "[PNG image]")
    }

    /// Markdown, which stands for itself as it is where only text can be shown.
    pub fn markdown(markdown: &str) -> Self {
        Self::new("text/markdown", markdown.into(), markdown)
    }

    /// A table of rows, as [`table`] shows it.
    ///
    /// ```
    /// use lab::display::Display;
    ///
    /// let planets = [("Mercury", 0.06), ("Venus", 0.82)].into_iter();
    /// let table = Display::table(planets.map(|(name, mass)| serde_json::json!({ "mass": mass, "name": name })));
    /// let text = "2 rows x 2 columns\n   mass  name\n    f64  str\n0  0.06  Mercury\n1  0.82  Venus";
    /// assert_eq!(table.content("text/plain"), Some(text));
    /// assert!(table.content("text/html").unwrap().contains("<td class=\"t\">Venus</td>"));
    /// ```
    pub fn table<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Self {
        table::of_all(rows)
    }

    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        Self { data: [("text/plain".to_owned(), text.into())].into_iter().collect() }
    }

    fn new(mime: &str, content: String, text: &str) -> Self {
        let entry = |(mime, content): (&str, &str)| (mime.into(), content.into());
        Self { data: [(mime, content.as_str()), ("text/plain", text)].map(entry).into_iter().collect() }
    }

    /// Sets the text that stands for it where only text can be shown.
    pub fn alt(self, text: &str) -> Self {
        self.with("text/plain", text)
    }

    /// Adds, or replaces, the representation of one MIME type.
    pub(crate) fn with(mut self, mime: &str, content: impl Into<Value>) -> Self {
        self.data.insert(mime.into(), content.into());
        self
    }

    /// The representation of one MIME type; that of a PNG image is in base64.
    pub fn content(&self, mime: &str) -> Option<&str> {
        self.data.get(mime)?.as_str()
    }

    /// Its representations, by their MIME types.
    pub(crate) fn into_data(self) -> Map<String, Value> {
        self.data
    }

    /// Shows it now.
    pub fn show(&self) {
        self.send(None, false);
    }

    /// Shows it now, under an id by which [`update`](Self::update) can replace it.
    pub fn show_as(&self, id: &str) {
        self.send(Some(id), false);
    }

    /// Replaces what was shown under `id`, in whichever cell that was. Only the taper kernel can do so; elsewhere it is shown
    /// once more.
    pub fn update(&self, id: &str) {
        self.send(Some(id), true);
    }

    /// evcxr calls this on the final expression of a cell.
    pub fn evcxr_display(&self) {
        self.show();
    }

    fn send(&self, id: Option<&str>, update: bool) {
        write(&match Target::from_env() {
            Target::Taper => {
                let (data, display_id) = (self.data.clone(), id.map(Into::into));
                return send(&Request::Display { data, metadata: Map::new(), display_id, update });
            }
            Target::Evcxr => self
                .contents()
                .map(|(mime, content)| format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n"))
                .collect(),
            Target::Terminal => format!("{}\n", self.content("text/plain").unwrap_or_default()),
        });
    }

    fn contents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.data.iter().filter_map(|(mime, content)| Some((mime.as_str(), content.as_str()?)))
    }
}

/// Who reads standard output.
pub(crate) enum Target {
    Taper,
    Evcxr,
    Terminal,
}

impl Target {
    pub(crate) fn from_env() -> Self {
        if env::var_os(messages::ENV).is_some() {
            Self::Taper
        } else if env::var_os("EVCXR_IS_RUNTIME").is_some() {
            Self::Evcxr
        } else {
            Self::Terminal
        }
    }
}

/// Sends a request to the kernel.
fn send(request: &Request) {
    write(&messages::encode(request, &env::var(messages::ENV).unwrap_or_default()));
}

/// Writes in one piece, after all that was printed before, whatever other threads print meanwhile.
pub(crate) fn write(text: &str) {
    let mut out = stdout().lock();
    // When this fails nobody reads any more, so there is nobody to tell.
    let _ = out.flush().and_then(|()| out.write_all(text.as_bytes())).and_then(|()| out.flush());
}
