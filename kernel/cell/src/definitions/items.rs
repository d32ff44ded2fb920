//! Finds the items of a cell.

use super::impl_block::impl_block;
use super::imports::imports;
use super::item::{Item, Kind, MACROS, Name, TYPES, VALUES};
use crate::code::Source;
use crate::macros;
use crate::syntax::Cell;
use ra_ap_syntax::ast::{self, AstNode, HasName};
use std::ops::Range;
use std::sync::Arc;

/// The items of a cell, in order.
pub fn items(cell: &Cell, source: &Arc<Source>, macros: &[Range<usize>]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for piece in &cell.pieces {
        let range = piece.range.clone();
        if macros.contains(&range) {
            items.push(Item::new(Kind::Other, None, &piece.node, range, source));
            continue;
        }
        let Some(item) = ast::Item::cast(piece.node.clone()) else { continue };
        match &item {
            ast::Item::Use(declaration) => items.extend(imports(declaration, range.start, source)),
            ast::Item::Impl(block) => {
                let kind = Kind::Impl(impl_block(block, range.start, &items));
                items.push(Item::new(kind, None, &piece.node, range, source));
            }
            _ => {
                let (kind, name) = (kind(&item), name(&item));
                items.push(Item::new(kind, name, &piece.node, range, source));
            }
        }
    }
    items
}

fn kind(item: &ast::Item) -> Kind {
    match item {
        ast::Item::ExternCrate(_) => Kind::ExternCrate,
        ast::Item::MacroRules(rules) => Kind::Macro { defines_items: macros::defines_items(rules) },
        ast::Item::Fn(_) => Kind::Function,
        _ => Kind::Other,
    }
}

fn name(item: &ast::Item) -> Option<Name> {
    if let ast::Item::ExternCrate(declaration) = item {
        let text = match declaration.rename() {
            Some(rename) => rename.name()?.text().to_string(),
            None => declaration.name_ref()?.text().to_string(),
        };
        return Some(Name { text, namespaces: TYPES });
    }
    let namespaces = match item {
        ast::Item::Const(_) | ast::Item::Fn(_) | ast::Item::Static(_) => VALUES,
        ast::Item::Struct(item) => match item.field_list() {
            Some(ast::FieldList::RecordFieldList(_)) => TYPES,
            _ => TYPES | VALUES,
        },
        ast::Item::Enum(_)
        | ast::Item::Module(_)
        | ast::Item::Trait(_)
        | ast::Item::TypeAlias(_)
        | ast::Item::Union(_) => TYPES,
        ast::Item::MacroDef(_) | ast::Item::MacroRules(_) => MACROS,
        _ => return None,
    };
    let text = item.syntax().children().find_map(ast::Name::cast)?.text().to_string();
    Some(Name { text, namespaces })
}
