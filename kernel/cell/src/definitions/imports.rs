//! `use` declarations, taken apart into an import of each name.

use super::item::{Item, Kind, Name, TYPES, VALUES, range_in_cell};
use crate::code::{Code, Source};
use ra_ap_syntax::SyntaxNode;
use ra_ap_syntax::ast::{self, AstNode, HasAttrs, HasName};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// An import for each name that a `use` declaration brings into scope. The declaration starts at byte `start` of the cell.
pub fn imports(declaration: &ast::Use, start: usize, source: &Arc<Source>) -> Vec<Item> {
    let at = |node: &SyntaxNode| range_in_cell(node, declaration.syntax(), start);
    let mut attributes = Code::new();
    for attribute in declaration.attrs() {
        attributes.copy(source, at(attribute.syntax())).generate(" ");
    }
    let mut items = Vec::new();
    let mut trees: Vec<(ast::UseTree, Vec<Range<usize>>)> =
        declaration.use_tree().into_iter().map(|tree| (tree, Vec::new())).collect();
    while let Some((tree, mut path)) = trees.pop() {
        let own = tree.path();
        let is_self = own.as_ref().is_some_and(|path| path.syntax().text() == "self");
        let last = own.as_ref().and_then(|path| path.segment()?.name_ref());
        let outer = path.last().cloned();
        path.extend(own.iter().filter(|_| !is_self).map(|path| at(path.syntax())));
        if let Some(list) = tree.use_tree_list() {
            let inner: Vec<_> = list.use_trees().map(|tree| (tree, path.clone())).collect();
            trees.extend(inner.into_iter().rev());
            continue;
        }
        let mut code = attributes.clone();
        code.generate("use ");
        for (index, part) in path.iter().enumerate() {
            code.generate(if index > 0 { "::" } else { "" }).copy(source, part.clone());
        }
        let is_glob = tree.star_token().is_some();
        if is_glob {
            code.generate(if path.is_empty() { "" } else { "::" });
            code.copy(source, at(tree.syntax()).end - 1..at(tree.syntax()).end);
        }
        let rename = tree.rename();
        if is_self && !path.is_empty() {
            code.generate("::{self");
        }
        if let Some(rename) = &rename {
            code.generate(" ").copy(source, at(rename.syntax()));
        }
        code.generate(if is_self && !path.is_empty() { "};" } else { ";" });
        let text = match &rename {
            Some(rename) => rename.name().map(|name| name.text().to_string()),
            None if is_glob => None,
            // `use a::b::{self}` imports `b`.
            None if is_self => outer.and_then(|path| last_segment(&source.code[path])),
            None => last.map(|name| name.text().to_string()),
        };
        items.push(Item {
            kind: Kind::Import,
            name: text.map(|text| Name { text, namespaces: TYPES | VALUES }),
            key: code.text().to_owned(),
            identifiers: super::words(code.text()).map(str::to_owned).collect(),
            methods: BTreeSet::new(),
            source: Arc::clone(source),
            range: at(tree.syntax()),
            code,
        });
    }
    items
}

fn last_segment(path: &str) -> Option<String> {
    path.rsplit("::").next().map(|segment| segment.trim().to_owned())
}
