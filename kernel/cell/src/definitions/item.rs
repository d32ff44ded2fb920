//! One definition: an item, or the import of one name.

use crate::code::{Code, Source};
use ra_ap_syntax::ast::{self, AstNode};
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
    /// The names of its methods, if it is a trait: they can be called where it is not named.
    pub methods: BTreeSet<String>,
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

/// Attributes of items that have effects where nothing names them.
const UNNAMED: [&str; 5] = ["export_name", "global_allocator", "macro_export", "macro_use", "no_mangle"];

pub const TYPES: u8 = 1;
pub const VALUES: u8 = 2;
pub const MACROS: u8 = 4;

impl Name {
    /// Whether both cannot be defined in the same module.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.text == other.text && self.namespaces & other.namespaces != 0
    }
}

impl Item {
    pub fn new(
        kind: Kind,
        name: Option<Name>,
        node: &SyntaxNode,
        range: Range<usize>,
        source: &Arc<Source>,
    ) -> Self {
        let mut code = Code::new();
        code.copy(source, range.clone());
        let (key, identifiers) = (key(node), identifiers(node));
        let methods = methods(node);
        Self { kind, name, key, identifiers, methods, source: Arc::clone(source), range, code }
    }

    /// Whether it has effects where nothing names it: attributes that give its names to a macro's caller or to the linker.
    pub fn acts_unnamed(&self) -> bool {
        UNNAMED.iter().any(|attribute| self.identifiers.contains(*attribute))
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

/// The names that a trait declares.
fn methods(node: &SyntaxNode) -> BTreeSet<String> {
    let list = ast::Trait::cast(node.clone()).and_then(|declaration| declaration.assoc_item_list());
    let items = list.into_iter().flat_map(|list| list.assoc_items());
    let names = items.filter_map(|item| item.syntax().children().find_map(ast::Name::cast));
    names.map(|name| name.text().trim_start_matches("r#").to_owned()).collect()
}

fn identifiers(node: &SyntaxNode) -> BTreeSet<String> {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let names = tokens.filter(|token| token.kind() == SyntaxKind::IDENT);
    names.map(|token| token.text().trim_start_matches("r#").to_owned()).collect()
}
