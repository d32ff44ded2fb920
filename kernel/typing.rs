//! Whether somebody edits the notebook, as far as a kernel can tell: a cell that comes again with other code has been typed.
//! Programs that run notebooks, such as nbconvert, papermill or `taper run`, send each cell once, and do not say which it is.

use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// The cells that clients have sent, by their ids, each with a hash of its code.
#[derive(Default)]
pub struct Typing {
    cells: Mutex<HashMap<String, u64>>,
}

impl Typing {
    /// Whether this cell has been sent before with other code. `metadata` is that of its request, in which JupyterLab and others
    /// have the cell's id.
    pub fn is_edited(&self, metadata: &Value, code: &str) -> bool {
        let Some(id) = metadata.get("cellId").and_then(Value::as_str) else { return false };
        let mut hasher = DefaultHasher::new();
        code.hash(&mut hasher);
        let hash = hasher.finish();
        let before = self.cells.lock().unwrap().insert(id.to_owned(), hash);
        before.is_some_and(|before| before != hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_edited_when_it_comes_again_with_other_code() {
        let typing = Typing::default();
        let one = json!({ "cellId": "one" });
        for (metadata, code, expected) in [
            (&one, "1", false),
            (&json!({ "cellId": "two" }), "2", false),
            (&one, "1", false),
            (&one, "3", true),
            (&one, "3", false),
            (&json!({}), "1", false),
            (&json!({}), "2", false),
            (&json!({ "cellId": 1 }), "2", false),
            (&json!({ "cellId": 1 }), "3", false),
        ] {
            assert_eq!(typing.is_edited(metadata, code), expected, "{metadata} {code}");
        }
    }
}
