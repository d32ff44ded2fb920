//! The items of a session: what its cells have defined, without what later cells have replaced.
//!
//! Each cell is compiled as a crate of its own, with the items of all earlier cells beside it. When a cell defines
//! something anew, the old definition goes: a function, type or import by its name; an `impl` by what stands before its
//! braces, and of an inherent one only the members that are defined anew; everything without a name by its text.

use crate::code::{Code, Place, Source};
use crate::macros;
use crate::syntax::Cell;
use ra_ap_syntax::ast::{self, AstNode, HasAttrs, HasName};
use ra_ap_syntax::{SyntaxKind, SyntaxNode};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The items of a session, in the order in which they were defined.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    items: Vec<Arc<Item>>,
}

/// An item, or the import of one name.
#[derive(Clone, Debug)]
struct Item {
    kind: Kind,
    name: Option<Name>,
    /// Its tokens: what is the same but for spaces and comments has the same key.
    key: String,
    /// The identifiers in it.
    words: BTreeSet<String>,
    source: Arc<Source>,
    /// Where it stands in its cell.
    range: Range<usize>,
    code: Code,
}

#[derive(Clone, Debug)]
enum Kind {
    /// `extern crate`; it may bring macros, so it comes first.
    ExternCrate,
    /// `macro_rules!`; it must come before its uses.
    Macro {
        defines_items: bool,
    },
    Import,
    Impl(Impl),
    /// A function; changing it changes no type.
    Function,
    Other,
}

#[derive(Clone, Debug)]
struct Impl {
    /// The tokens before the braces.
    header: String,
    is_of_trait: bool,
    /// The functions, constants and types in it, with the bytes of the cell where they stand.
    members: Vec<(String, Range<usize>)>,
    /// The item of the same cell that it is about: where that is defined anew without it, it goes too.
    owner: Option<String>,
    /// Members that later cells have defined anew.
    cuts: Vec<Range<usize>>,
}

/// A name in some of Rust's namespaces.
#[derive(Clone, Debug, PartialEq)]
struct Name {
    text: String,
    namespaces: u8,
}

const TYPES: u8 = 1;
const VALUES: u8 = 2;
const MACROS: u8 = 4;

impl Name {
    fn overlaps(&self, other: &Self) -> bool {
        self.text == other.text && self.namespaces & other.namespaces != 0
    }
}

/// What a cell does to the definitions before it.
pub struct Change {
    pub definitions: Definitions,
    /// The names that mean something else now, apart from functions, and the names of what is built on them.
    pub changed: BTreeSet<String>,
    /// Those of them that are imports.
    pub changed_imports: BTreeSet<String>,
}

impl Change {
    /// Whether a type, as rustc spells it, is built on something that means something else now.
    pub fn concerns(&self, type_name: &str) -> bool {
        first_names(type_name).any(|name| self.changed.contains(name))
    }

    /// Whether a type, as its author has written it, names something that is imported from elsewhere now.
    pub fn concerns_imports(&self, type_name: &str) -> bool {
        first_names(type_name).any(|name| self.changed_imports.contains(name))
    }
}

/// The names in a type that are not reached through another one, as `Vec` and `Point` in `Vec<m::Other, Point>` and `m`.
fn first_names(type_name: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = type_name;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(is_word)?;
            let after_colons = rest[..start].ends_with("::");
            let word = &rest[start..];
            let length = word.find(|c| !is_word(c)).unwrap_or(word.len());
            rest = &word[length..];
            if !after_colons {
                return Some(&word[..length]);
            }
        }
    })
}

impl Definitions {
    /// The definitions with those of a cell. `macros` are the macro calls of the cell that stand for items.
    pub fn with(&self, cell: &Cell, source: &Arc<Source>, macros: &[Range<usize>]) -> Change {
        let mut next = self.clone();
        let (mut changed, mut changed_imports) = (BTreeSet::new(), BTreeSet::new());
        for item in items(cell, source, macros) {
            for replaced in next.make_room(&item, source) {
                let Some(name) = replaced.name.as_ref().filter(|_| replaced.key != item.key) else {
                    continue;
                };
                match (&replaced.kind, &item.kind) {
                    (Kind::Function, Kind::Function) => {}
                    (Kind::Import, Kind::Import) => _ = changed_imports.insert(name.text.clone()),
                    _ => _ = changed.insert(name.text.clone()),
                }
            }
            next.items.push(Arc::new(item));
        }
        next.spread(&mut changed);
        Change { definitions: next, changed, changed_imports }
    }

    /// Removes what a new item replaces. What stands in the same cell is left to the compiler to complain of.
    fn make_room(&mut self, new: &Item, source: &Arc<Source>) -> Vec<Arc<Item>> {
        let is_earlier = |old: &Item| !Arc::ptr_eq(&old.source, source);
        let replaces = |old: &Item| match (&new.kind, &old.kind) {
            (Kind::Impl(new), Kind::Impl(old)) => {
                new.header == old.header && (new.is_of_trait || old.members.is_empty())
            }
            _ => match (&new.name, &old.name) {
                (Some(new), Some(old)) => new.overlaps(old),
                (None, None) => new.key == old.key,
                _ => false,
            },
        };
        let mut replaced: Vec<Arc<Item>> =
            self.items.extract_if(.., |old| is_earlier(old) && replaces(old)).collect();
        let is_left_over = |old: &Item| match &old.kind {
            Kind::Impl(block) => replaced.iter().any(|owner| {
                Arc::ptr_eq(&owner.source, &old.source)
                    && owner.name.as_ref().is_some_and(|name| Some(&name.text) == block.owner.as_ref())
            }),
            _ => false,
        };
        let left_over: Vec<Arc<Item>> = self.items.extract_if(.., |old| is_left_over(old)).collect();
        replaced.extend(left_over);
        if let Kind::Impl(Impl { header, is_of_trait: false, members, .. }) = &new.kind {
            for item in self.items.iter_mut().filter(|old| is_earlier(old)) {
                let Kind::Impl(block) = &item.kind else { continue };
                if block.header == *header {
                    let anew = |name: &str| members.iter().any(|(member, _)| member == name);
                    let cut = block.members.iter().filter(|(name, _)| anew(name));
                    let cut: Vec<Range<usize>> = cut.map(|(_, range)| range.clone()).collect();
                    Arc::make_mut(item).cut(&cut);
                }
            }
            self.items.retain(|old| {
                !matches!(&old.kind, Kind::Impl(block) if is_earlier(old) && block.header == *header && block.members.is_empty())
            });
        }
        replaced
    }

    /// Removes the definition at a place of an earlier cell, because the compiler says that one of the cell in progress is
    /// in its way: it was spelled otherwise, or made by a macro. Returns whether there was one.
    pub fn remove_at(&mut self, place: &Place) -> bool {
        let is_there = |item: &Arc<Item>| {
            place.is_of(&item.source)
                && item.range.start <= place.range.start
                && place.range.start <= item.range.end
        };
        let Some(index) = self.items.iter().position(is_there) else { return false };
        let item = &mut self.items[index];
        if let Kind::Impl(Impl { is_of_trait: false, members, .. }) = &item.kind
            && let Some((_, member)) = members.iter().find(|(_, range)| range.contains(&place.range.start))
        {
            let member = member.clone();
            Arc::make_mut(item).cut(&[member]);
        } else {
            self.items.remove(index);
        }
        true
    }

    /// Adds the names of what is built on changed names, such as a struct that has one in a field.
    fn spread(&self, changed: &mut BTreeSet<String>) {
        loop {
            let before = changed.len();
            for item in self.items.iter().filter(|item| matches!(item.kind, Kind::Other | Kind::Macro { .. }))
            {
                if let Some(name) = &item.name
                    && !changed.contains(&name.text)
                    && item.words.iter().any(|word| changed.contains(word))
                {
                    changed.insert(name.text.clone());
                }
            }
            if changed.len() == before {
                return;
            }
        }
    }

    /// All items as code at the top of a crate.
    pub fn code(&self) -> Code {
        let rank = |item: &Item| match item.kind {
            Kind::ExternCrate => 0,
            Kind::Macro { .. } => 1,
            _ => 2,
        };
        let mut code = Code::new();
        for wanted in 0..3 {
            for item in self.items.iter().filter(|item| rank(item) == wanted) {
                code.append(&item.code).generate("\n");
            }
        }
        code
    }

    /// Whether a macro of the session of this name stands for items; none if there is no such macro.
    pub fn macro_defines_items(&self, name: &str) -> Option<bool> {
        self.items.iter().rev().find_map(|item| match item.kind {
            Kind::Macro { defines_items } if item.name.as_ref()?.text == name => Some(defines_items),
            _ => None,
        })
    }

    /// The texts of all items, for completion.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.code.text())
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
        Self { kind, name, key: key(node), words: words(node), source: Arc::clone(source), range, code }
    }

    /// Leaves some members of an `impl` out.
    fn cut(&mut self, members: &[Range<usize>]) {
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
fn items(cell: &Cell, source: &Arc<Source>, macros: &[Range<usize>]) -> Vec<Item> {
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

/// An import of each name that a `use` declaration brings.
fn imports(declaration: &ast::Use, start: usize, source: &Arc<Source>) -> Vec<Item> {
    let offset = usize::from(declaration.syntax().text_range().start());
    let at = |node: &SyntaxNode| -> Range<usize> {
        let range = node.text_range();
        usize::from(range.start()) - offset + start..usize::from(range.end()) - offset + start
    };
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
            words: BTreeSet::new(),
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

fn impl_block(block: &ast::Impl, start: usize, before: &[Item]) -> Impl {
    let offset = usize::from(block.syntax().text_range().start());
    let list = block.assoc_item_list();
    let members = list.iter().flat_map(|list| list.assoc_items()).filter_map(|member| {
        let name = match &member {
            ast::AssocItem::Const(item) => item.name(),
            ast::AssocItem::Fn(item) => item.name(),
            ast::AssocItem::TypeAlias(item) => item.name(),
            ast::AssocItem::MacroCall(_) => None,
        };
        let range = member.syntax().text_range();
        let bytes = usize::from(range.start()) - offset + start..usize::from(range.end()) - offset + start;
        Some((name?.text().to_string(), bytes))
    });
    let members = members.collect();
    let braces = list.as_ref().map(|list| list.syntax().text_range().start());
    let tokens = block.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
    let is_header = |token: &ra_ap_syntax::SyntaxToken| {
        !token.kind().is_trivia() && braces.is_none_or(|braces| token.text_range().start() < braces)
    };
    let header: Vec<String> = tokens
        .filter(is_header)
        .map(|token| token.text().to_owned())
        .skip_while(|token| token != "impl")
        .collect();
    let types = block.trait_().into_iter().chain(block.self_ty());
    let names: Vec<String> = types
        .flat_map(|part| part.syntax().descendants().filter_map(ast::NameRef::cast).collect::<Vec<_>>())
        .map(|name| name.text().to_string())
        .collect();
    let is_about = |item: &&Item| item.name.as_ref().is_some_and(|name| names.contains(&name.text));
    let is_type = |item: &&Item| matches!(item.kind, Kind::Other);
    let owner = before.iter().rev().filter(is_type).find(is_about);
    let owner = owner.and_then(|item| item.name.as_ref()).map(|name| name.text.clone());
    let is_of_trait = block.trait_().is_some();
    Impl { header: header.join(" "), is_of_trait, members, owner, cuts: Vec::new() }
}

/// The tokens of some code, without spaces and comments.
fn key(node: &SyntaxNode) -> String {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let texts = tokens.filter(|token| !token.kind().is_trivia()).map(|token| token.text().to_owned());
    texts.collect::<Vec<_>>().join(" ")
}

/// The identifiers in some code.
pub(crate) fn words(node: &SyntaxNode) -> BTreeSet<String> {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let names = tokens.filter(|token| token.kind() == SyntaxKind::IDENT);
    names.map(|token| token.text().trim_start_matches("r#").to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    /// The definitions after some cells, and what the last of them changed.
    fn after(cells: &[&str]) -> (Definitions, BTreeSet<String>) {
        let mut definitions = Definitions::default();
        let mut changed = BTreeSet::new();
        for (index, cell) in cells.iter().enumerate() {
            let source = Arc::new(Source { name: format!("[{}]", index + 1), code: (*cell).into() });
            let change = definitions.with(&parse(cell), &source, &[]);
            (definitions, changed) = (change.definitions, change.changed);
        }
        (definitions, changed)
    }

    fn text(cells: &[&str]) -> String {
        let (definitions, _) = after(cells);
        definitions.code().text().trim_end().to_owned()
    }

    fn changed(cells: &[&str]) -> Vec<String> {
        after(cells).1.into_iter().collect()
    }

    #[test]
    fn what_is_defined_anew_replaces_the_old() {
        for (cells, left) in [
            (&["fn f() {}", "fn f() { 1 }"][..], "fn f() { 1 }"),
            (&["struct A;", "enum A {}"], "enum A {}"),
            (&["struct A { x: u8 }", "fn A() {}"], "struct A { x: u8 }\nfn A() {}"),
            (&["mod m {}", "fn m() {}"], "mod m {}\nfn m() {}"),
            (&["use a::b;", "struct b;"], "struct b;"),
            (&["use a::{b, c};", "use d::b;"], "use a::c;\nuse d::b;"),
            (&["use a::*;", "use  a::* ;"], "use a::*;"),
            (
                &["extern \"C\" { fn f(); }", "extern \"C\" { fn f() ; } // again"],
                "extern \"C\" { fn f() ; }",
            ),
            (&["let x = 1; const _: () = ();"], "const _: () = ();"),
        ] {
            assert_eq!(text(cells), left, "{cells:?}");
        }
    }

    #[test]
    fn an_impl_is_replaced_by_one_with_the_same_header_and_an_inherent_one_by_its_members() {
        for (cells, left) in [
            (
                &["impl A { fn f() {} }", "impl  A { fn f() {} fn g() {} }"][..],
                "impl  A { fn f() {} fn g() {} }",
            ),
            (&["impl T for A { fn f() {} }", "impl T for A {}"], "impl T for A {}"),
            (
                &["impl W<f64> { fn f() {} }", "impl W < f64 > { fn f() { 1 } }"],
                "impl W < f64 > { fn f() { 1 } }",
            ),
            (
                &["impl A { fn f() {} fn g() {} }", "impl A { fn g() { 1 } }"],
                "impl A { fn f() {}  }\nimpl A { fn g() { 1 } }",
            ),
            (&["impl A { fn f() {} }", "impl B { fn f() {} }"], "impl A { fn f() {} }\nimpl B { fn f() {} }"),
            (&["struct A; impl A { fn f() {} }", "struct A(u8);"], "struct A(u8);"),
            (
                &["struct A; fn f() {} impl Show for A {}", "fn f() { 1 }"],
                "struct A;\nimpl Show for A {}\nfn f() { 1 }",
            ),
        ] {
            assert_eq!(text(cells), left, "{cells:?}");
        }
    }

    #[test]
    fn imports_are_taken_apart_into_names() {
        for (cell, left) in [
            (
                "use a::{b::{self as c, d}, self as e};",
                "use a::b::{self as c};\nuse a::b::d;\nuse a::{self as e};",
            ),
            (
                "use std::{fmt, io::{self, Write as _}};",
                "use std::fmt;\nuse std::io::{self};\nuse std::io::Write as _;",
            ),
            ("use ::a::b as c; pub use x::*;", "use ::a::b as c;\nuse x::*;"),
            (
                "#[allow(deprecated)] use a::{b, c};",
                "#[allow(deprecated)] use a::b;\n#[allow(deprecated)] use a::c;",
            ),
        ] {
            assert_eq!(text(&[cell]), left, "{cell}");
        }
        assert_eq!(text(&["use std::io::{self};", "use tokio::io;"]), "use tokio::io;");
    }

    #[test]
    fn macros_and_crates_come_first() {
        let cells = ["fn f() { m!() }", "macro_rules! m { () => {} } extern crate a;"];
        assert_eq!(text(&cells), "extern crate a;\nmacro_rules! m { () => {} }\nfn f() { m!() }");
        assert_eq!(
            text(&["macro_rules! m { () => {} }", "fn m() {}"]),
            "macro_rules! m { () => {} }\nfn m() {}"
        );
    }

    #[test]
    fn a_type_has_changed_when_its_tokens_have_or_what_it_is_built_on() {
        assert_eq!(changed(&["struct A { x: u8 }", "struct A  { x: u8 } // as it was"]), [""; 0]);
        assert_eq!(changed(&["struct A { x: u8 }", "struct A { x: u16 }"]), ["A"]);
        let cells = ["struct A; struct B(A); enum C { One(Vec<B>) } struct D;", "struct A(u8);"];
        assert_eq!(changed(&cells), ["A", "B", "C"]);
        assert_eq!(changed(&["const N: usize = 1; struct A([u8; N]);", "const N: usize = 2;"]), ["A", "N"]);
        assert_eq!(changed(&["fn f() {}", "fn f() { 1 }"]), [""; 0], "a function is no type");
        assert_eq!(changed(&["use a::b;", "use c::b;"]), [""; 0]);
    }

    #[test]
    fn a_type_is_concerned_by_the_names_that_it_is_reached_by() {
        let names = |type_name| first_names(type_name).collect::<Vec<_>>();
        assert_eq!(names("std::vec::Vec<m::Other, Point>"), ["std", "m", "Point"]);
        assert_eq!(names("[(A, &B); 3]"), ["A", "B", "3"]);
        let source = |code: &str| Arc::new(Source { name: String::new(), code: code.into() });
        let (old, new) = ("struct A; use a::B;", "struct A(u8); use c::B;");
        let definitions = Definitions::default().with(&parse(old), &source(old), &[]).definitions;
        let change = definitions.with(&parse(new), &source(new), &[]);
        assert!(change.concerns("std::option::Option<A>") && !change.concerns("m::A"));
        assert!(change.concerns_imports("B<u8>") && !change.concerns("B<u8>"));
    }

    #[test]
    fn what_the_compiler_finds_in_the_way_is_removed() {
        let cells = ["impl std::fmt::Display for Cat {} impl m::A { fn f() {} fn g() {} }"];
        let (mut definitions, _) = after(&cells);
        let source = Arc::clone(&definitions.items[0].source);
        let at = |text: &str| {
            let start = source.code.find(text).unwrap();
            Place { source: Arc::clone(&source), range: start..start + 1 }
        };
        assert!(definitions.remove_at(&at("impl std")) && definitions.remove_at(&at("fn g")));
        assert_eq!(definitions.code().text().trim_end(), "impl m::A { fn f() {}  }");
        let elsewhere =
            Place { source: Arc::new(Source { name: "[2]".into(), code: "x".into() }), range: 0..1 };
        assert!(!definitions.remove_at(&elsewhere));
    }
}
