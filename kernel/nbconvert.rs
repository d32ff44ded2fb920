//! Installs the nbconvert template of our pages, and can make it nbconvert's default.

use anyhow::{Context, Result, bail};
use environment::files;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the template, for nbconvert's option `--template`.
pub const TEMPLATE: &str = "taper";

/// The files of the template.
const FILES: [(&str, &str); 3] = [
    ("conf.json", include_str!("html/conf.json")),
    ("index.html.j2", include_str!("html/index.html.j2")),
    ("temml.min.js", include_str!("html/temml.min.js")),
];

/// The exporters and the templates to set: `HTMLExporter` gets ours, and the exporters that inherit its settings keep theirs.
const DEFAULTS: [(&str, &str); 5] = [
    ("HTMLExporter", TEMPLATE),
    ("SlidesExporter", "reveal"),
    ("WebPDFExporter", "webpdf"),
    ("QtPDFExporter", "qtpdf"),
    ("QtPNGExporter", "qtpng"),
];
/// The setting of an exporter.
const KEY: &str = "template_name";

/// The folder of the template in one of Jupyter's data folders.
pub fn template_folder(data: &Path) -> PathBuf {
    data.join("nbconvert/templates").join(TEMPLATE)
}

/// Writes the template into a folder.
pub fn write_template(folder: &Path) -> Result<()> {
    FILES.iter().try_for_each(|(name, text)| files::write(&folder.join(name), text))
}

/// Makes nbconvert and JupyterLab's menu use the template, by a setting in one of Jupyter's settings folders. Other settings
/// are kept.
///
/// # Errors
/// When another template is already set, or the settings cannot be read.
pub fn make_default(settings: &Path) -> Result<()> {
    change(settings, |file, all| {
        for (exporter, template) in DEFAULTS {
            let Some(exporter) = all.entry(exporter).or_insert(json!({})).as_object_mut() else {
                bail!("{}: the setting is not an object", file.display());
            };
            let present = exporter.entry(KEY).or_insert(template.into());
            if template == TEMPLATE && present != TEMPLATE {
                bail!(
                    "{} already sets nbconvert's template to {present}: remove that setting, or do without --pages",
                    file.display()
                );
            }
        }
        Ok(())
    })
}

/// Removes the settings of [`make_default`].
pub fn take_back_default(settings: &Path) -> Result<()> {
    if !settings_file(settings).exists() {
        return Ok(());
    }
    change(settings, |_, all| {
        let is_ours = all.get("HTMLExporter").is_some_and(|exporter| exporter[KEY] == TEMPLATE);
        for (exporter, template) in DEFAULTS {
            let Some(Value::Object(set)) = all.get_mut(exporter).filter(|_| is_ours) else { continue };
            if set.get(KEY).is_some_and(|present| present == template) {
                set.remove(KEY);
            }
            if set.is_empty() {
                all.remove(exporter);
            }
        }
        Ok(())
    })
}

/// The settings file that all of Jupyter's programs read.
pub fn settings_file(settings: &Path) -> PathBuf {
    settings.join("jupyter_config.json")
}

/// Reads the settings, changes them, and writes them back if they differ. Settings that become empty are removed.
fn change(settings: &Path, change: impl FnOnce(&Path, &mut Map<String, Value>) -> Result<()>) -> Result<()> {
    let file = settings_file(settings);
    let mut all = match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a JSON object", file.display()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let before = all.clone();
    change(&file, &mut all)?;
    match all.is_empty() {
        true if before.is_empty() => Ok(()),
        true => fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display())),
        false if all == before => Ok(()),
        false => files::write(&file, format!("{:#}\n", Value::Object(all))),
    }
}
