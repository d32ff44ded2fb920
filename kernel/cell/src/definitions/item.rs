//! One definition: an item, or the import of one name.

use super::impl_block::impl_block;
use super::imports::imports;
use crate::code::{Code, Source};
use crate::macros;
use crate::syntax::Cell;
use ra_ap_syntax::ast::{self, AstNode, HasName};
use ra_ap_syntax::{SyntaxKind, SyntaxNode};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// An item, or the import of one name.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: Kind,
    pub name: Option<Name>,
    /// Its tokens, without spaces and comments. Items with the same key are the same definition.
    pub key: String,
    /// The identifiers in it.
    pub identifiers: BTreeSet<String>,
    pub source: Arc<Source>,
    /// Its bytes in its cell.
    pub range: Range<usize>,
    pub code: Code,
}

/// What an item is, as far as replacing it is concerned.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `extern crate`. It comes first, because it may bring macros.
    ExternCrate,
    /// `macro_rules!`. It comes before its uses.
    Macro {
        defines_items: bool,
    },
    Import,
    Impl(Impl),
    /// A function. Changing it changes no type.
    Function,
    Other,
}

/// An `impl` block.
#[derive(Clone, Debug)]
pub struct Impl {
    /// The tokens before the braces.
    pub header: String,
    pub is_of_trait: bool,
    /// The names of its functions, constants and types, with their bytes in the cell.
    pub members: Vec<(String, Range<usize>)>,
    /// The item of the same cell that it belongs to. When a later cell replaces that item, it removes this block, too.
    pub owner: Option<String>,
    /// The members that later cells have redefined.
    pub cuts: Vec<Range<usize>>,
}

/// A name in one or more of Rust's namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: String,
    /// A bit for each namespace.
    pub namespaces: u8,
}

pub const TYPES: u8 = 1;
pub const VALUES: u8 = 2;
const MACROS: u8 = 4;

impl Name {
    /// Whether both cannot be defined in the same module.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.text == other.text && self.namespaces & other.namespaces != 0
    }
}

impl Item {
    fn new(
        kind: Kind,
        name: Option<Name>,
        node: &SyntaxNode,
        range: Range<usize>,
        source: &Arc<Source>,
    ) -> Self {
        let mut code = Code::new();
        code.copy(source, range.clone());
        let (key, identifiers) = (key(node), identifiers(node));
        Self { kind, name, key, identifiers, source: Arc::clone(source), range, code }
    }

    /// Removes members of an `impl` block.
    pub fn cut(&mut self, members: &[Range<usize>]) {
        let Kind::Impl(block) = &mut self.kind else { return };
        block.members.retain(|(_, range)| !members.contains(range));
        block.cuts.extend_from_slice(members);
        block.cuts.sort_by_key(|cut| cut.start);
        let mut code = Code::new();
        let mut start = self.range.start;
        for cut in &block.cuts {
            code.copy(&self.source, start..cut.start);
            start = cut.end;
        }
        code.copy(&self.source, start..self.range.end);
        self.code = code;
    }
}

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

/// The bytes in the cell of a node within an item that starts at byte `start` of the cell.
pub fn range_in_cell(node: &SyntaxNode, item: &SyntaxNode, start: usize) -> Range<usize> {
    let (range, offset) = (node.text_range(), usize::from(item.text_range().start()));
    usize::from(range.start()) - offset + start..usize::from(range.end()) - offset + start
}

/// The tokens of a node, without spaces and comments.
fn key(node: &SyntaxNode) -> String {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let texts = tokens.filter(|token| !token.kind().is_trivia()).map(|token| token.text().to_owned());
    texts.collect::<Vec<_>>().join(" ")
}

fn identifiers(node: &SyntaxNode) -> BTreeSet<String> {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let names = tokens.filter(|token| token.kind() == SyntaxKind::IDENT);
    names.map(|token| token.text().trim_start_matches("r#").to_owned()).collect()
}
