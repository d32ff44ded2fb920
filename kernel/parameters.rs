//! Sets constants of a notebook from the command line.

use crate::notebook::has_tag;
use anyhow::{Result, bail};
use nbformat::v4::{Cell, CellId, CellMetadata, Notebook};

/// A constant that the command line sets.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub value: String,
}

/// Checks that each parameter is a constant of at least one of the notebooks.
pub fn check(notebooks: &[Notebook], parameters: &[Parameter]) -> Result<()> {
    let mut names: Vec<String> = notebooks.iter().flat_map(settable).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    match parameters.iter().find(|parameter| !names.contains(&parameter.name)) {
        Some(_) if names.is_empty() => {
            bail!("-p has nothing to set: no cell is tagged `parameters`")
        }
        Some(Parameter { name, .. }) => {
            bail!("there is no parameter {name}; the parameters are {}", names.join(", "))
        }
        None => Ok(()),
    }
}

/// Sets the constants that the cell tagged `parameters` defines, in a new cell after it, as papermill does.
pub fn set(notebook: &mut Notebook, parameters: &[Parameter]) -> Result<()> {
    let constants = settable(notebook);
    let mut lines = Vec::new();
    for Parameter { name, value } in parameters {
        if let Some((_, type_name)) = constants.iter().find(|(constant, _)| constant == name) {
            let quoted = if type_name.ends_with("str") { format!("{value:?}") } else { value.clone() };
            lines.push(format!("const {name}: {type_name} = {quoted};\n"));
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    notebook.cells.retain(|cell| !has_tag(cell, "injected-parameters"));
    let position = notebook.cells.iter().position(|cell| has_tag(cell, "parameters"));
    let metadata = CellMetadata { tags: Some(vec!["injected-parameters".into()]), ..empty_metadata()? };
    let id = CellId::new("injected-parameters").map_err(anyhow::Error::msg)?;
    let cell = Cell::Code { id, metadata, execution_count: None, source: lines, outputs: Vec::new() };
    notebook.cells.insert(position.map_or(0, |position| position + 1), cell);
    Ok(())
}

/// The constants of the cell tagged `parameters`, with their types.
fn settable(notebook: &Notebook) -> Vec<(String, String)> {
    let tagged = notebook.cells.iter().find(|cell| has_tag(cell, "parameters"));
    tagged.map(|cell| cell::syntax::constants(&cell.source().concat())).unwrap_or_default()
}

fn empty_metadata() -> Result<CellMetadata> {
    Ok(serde_json::from_str("{}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTEBOOK: &str = r#"{"cells":[{"cell_type":"code","id":"a","metadata":{"tags":["parameters"]},
        "execution_count":1,"source":["const EPOCHS: usize = 5;\n","const NAME: &str = \"x\";"],"outputs":[]}],
        "metadata":{},"nbformat":4,"nbformat_minor":5}"#;

    fn with(parameters: &[(&str, &str)]) -> Result<Vec<String>> {
        let nbformat::Notebook::V4(mut notebook) = nbformat::parse_notebook(NOTEBOOK)? else {
            bail!("not V4")
        };
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| Parameter { name: (*name).into(), value: (*value).into() })
            .collect();
        check(std::slice::from_ref(&notebook), &parameters)?;
        set(&mut notebook, &parameters)?;
        Ok(notebook.cells.iter().map(|cell| cell.source().concat()).collect())
    }

    #[test]
    fn parameters_are_set_in_a_cell_after_the_tagged_one() {
        let cells = with(&[("EPOCHS", "2"), ("NAME", "a \"b\"")]).unwrap();
        assert_eq!(cells[1], "const EPOCHS: usize = 2;\nconst NAME: &str = \"a \\\"b\\\"\";\n");
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let error = with(&[("EPOCH", "2")]).unwrap_err().to_string();
        assert_eq!(error, "there is no parameter EPOCH; the parameters are EPOCHS, NAME");
    }
}
