//! `impl` blocks that can be run again.
//!
//! When a cell defines a function or a type anew, evcxr drops the old one, by its name. An `impl` has no name, so a cell
//! with one could be run only once. Here each gets a name: evcxr keeps it together with the item in front of it, and in
//! front of each there will be a constant. What an `impl` defines, a later one for the same type may define anew.

use ra_ap_syntax::ast::{self, AstNode, HasName};
use ra_ap_syntax::{SyntaxKind, SyntaxNode, TextRange};
use std::ops::Range;

/// The `impl` blocks of a session.
#[derive(Clone, Debug, Default)]
pub struct Impls {
    blocks: Vec<Block>,
    named: usize,
}

/// An `impl` block as evcxr keeps it.
#[derive(Clone, Debug)]
struct Block {
    /// Of the constant in front.
    name: String,
    /// What stands before the braces.
    header: String,
    is_of_trait: bool,
    /// What stands within, by name, as bytes of the text.
    members: Vec<(String, Range<usize>)>,
    /// The last item before it in the same cell that it is about: defining that anew without the block drops the block.
    owner: Option<String>,
    text: String,
}

/// What to add to a cell, and what becomes of the blocks if it is accepted.
#[derive(Default)]
pub struct Renamed {
    /// Texts by the byte of the cell that they are to stand in front of.
    pub insertions: Vec<(usize, String)>,
    /// Blocks of earlier cells of which something was defined anew: as they were, and without it, at the same length.
    pub cut: Vec<(String, String)>,
    pub after: Impls,
}

impl Impls {
    /// Names the blocks of a cell. `items` are the items of its own scope, in order, with the byte where each starts.
    pub fn name(&self, items: &[(usize, SyntaxNode)]) -> Renamed {
        let mut renamed = Renamed { after: self.clone(), ..Renamed::default() };
        let defined: Vec<String> = items.iter().filter_map(|(_, item)| name_of(item)).collect();
        let mut dropped =
            renamed.after.take(|old| old.owner.as_ref().is_some_and(|owner| defined.contains(owner)));
        let mut before = Vec::new();
        for (start, item) in items {
            before.extend(name_of(item));
            let Some(mut block) = block(item, &before) else { continue };
            dropped.extend(renamed.after.take(|old| block.replaces(old)));
            renamed.cut.extend(renamed.after.blocks.iter_mut().filter_map(|old| old.cut(&block)));
            block.name = dropped.pop().map_or_else(|| renamed.after.new_name(), |old| old.name);
            renamed.insertions.push((*start, constant(&block.name)));
            renamed.after.blocks.push(block);
        }
        let Some((first, _)) = items.first() else { return renamed };
        let cut = renamed
            .after
            .blocks
            .iter()
            .filter(|block| renamed.cut.iter().any(|(_, text)| *text == block.text));
        let again = cut.map(|block| (*first, format!("{}{} ", constant(&block.name), block.text)));
        let without = dropped.iter().map(|block| (*first, constant(&block.name)));
        renamed.insertions.splice(0..0, without.chain(again).collect::<Vec<_>>());
        renamed
    }

    fn take(&mut self, condition: impl Fn(&Block) -> bool) -> Vec<Block> {
        self.blocks.extract_if(.., |block| condition(block)).collect()
    }

    fn new_name(&mut self) -> String {
        self.named += 1;
        format!("TAPER_IMPL_{}", self.named)
    }
}

impl Block {
    /// Whether nothing of the old block is left once this one is there. Of a trait there is one block for a type.
    fn replaces(&self, old: &Block) -> bool {
        self.header == old.header
            && (self.is_of_trait || old.members.iter().all(|(name, _)| self.defines(name)))
    }

    fn defines(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Blanks what `new` defines too; returns the text before and after, if there was such a thing.
    fn cut(&mut self, new: &Block) -> Option<(String, String)> {
        if self.header != new.header || !self.members.iter().any(|(name, _)| new.defines(name)) {
            return None;
        }
        let before = self.text.clone();
        for (_, range) in self.members.extract_if(.., |(name, _)| new.defines(name)) {
            let blank = crate::blank(&self.text[range.clone()]);
            self.text.replace_range(range, &blank);
        }
        Some((before, self.text.clone()))
    }
}

fn constant(name: &str) -> String {
    format!("const {name}: () = (); ")
}

/// The name by which evcxr keeps an item.
fn name_of(item: &SyntaxNode) -> Option<String> {
    let is_named = matches!(
        item.kind(),
        SyntaxKind::CONST
            | SyntaxKind::ENUM
            | SyntaxKind::FN
            | SyntaxKind::MODULE
            | SyntaxKind::STATIC
            | SyntaxKind::STRUCT
            | SyntaxKind::TRAIT
            | SyntaxKind::TYPE_ALIAS
            | SyntaxKind::UNION
    );
    let name = item.children().find_map(ast::Name::cast).filter(|_| is_named)?;
    Some(name.text().to_string())
}

/// An `impl` block, behind these items of its cell.
fn block(item: &SyntaxNode, before: &[String]) -> Option<Block> {
    let block = ast::Impl::cast(item.clone())?;
    let list = block.assoc_item_list()?;
    let start = item.text_range().start();
    let members = list.assoc_items().filter_map(|member| {
        let name = match &member {
            ast::AssocItem::Const(item) => item.name()?.text().to_string(),
            ast::AssocItem::Fn(item) => item.name()?.text().to_string(),
            ast::AssocItem::TypeAlias(item) => item.name()?.text().to_string(),
            // What the macro defines is known to the compiler alone, but the same call defines the same.
            ast::AssocItem::MacroCall(call) => spelled(call.syntax(), call.syntax().text_range()),
        };
        let range = member.syntax().text_range() - start;
        Some((name, range.start().into()..range.end().into()))
    });
    let keyword = block.impl_token()?.text_range().start();
    let header = spelled(item, TextRange::new(keyword, list.syntax().text_range().start()));
    let text = item.text().to_string();
    let types = block.trait_().into_iter().chain(block.self_ty());
    let names =
        types.flat_map(|part| part.syntax().descendants().filter_map(ast::NameRef::cast).collect::<Vec<_>>());
    let names: Vec<String> = names.map(|name| name.text().to_string()).collect();
    let owner = before.iter().rfind(|item| names.contains(item)).cloned();
    let (is_of_trait, members) = (block.trait_().is_some(), members.collect());
    Some(Block { name: String::new(), header, is_of_trait, members, owner, text })
}

/// The tokens of a node in a range of its file, however they are spaced and whatever comments are between them.
fn spelled(node: &SyntaxNode, range: TextRange) -> String {
    let tokens = node.descendants_with_tokens().filter_map(|element| element.into_token());
    let own = tokens.filter(|token| !token.kind().is_trivia() && range.contains_range(token.text_range()));
    own.map(|token| token.text().to_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names the blocks of a cell and returns it as evcxr gets it.
    fn run(impls: &mut Impls, cell: &str) -> String {
        let renamed = impls.name(&crate::parse(cell).items());
        *impls = renamed.after;
        let mut code = cell.to_owned();
        for (at, text) in renamed.insertions.into_iter().rev() {
            code.insert_str(at, &text);
        }
        code
    }

    #[test]
    fn a_block_that_is_run_again_replaces_itself() {
        let mut impls = Impls::default();
        assert_eq!(
            run(&mut impls, "impl A { fn f() {} }"),
            "const TAPER_IMPL_1: () = (); impl A { fn f() {} }"
        );
        let again = "impl  A { fn f() {} fn g() {} }";
        assert_eq!(run(&mut impls, again), format!("const TAPER_IMPL_1: () = (); {again}"));
        let other = "impl Show for A { fn show() {} }";
        assert_eq!(run(&mut impls, other), format!("const TAPER_IMPL_2: () = (); {other}"));
        assert_eq!(run(&mut impls, "impl Show for A {}"), "const TAPER_IMPL_2: () = (); impl Show for A {}");
    }

    #[test]
    fn of_a_block_that_is_replaced_in_part_the_rest_stays() {
        let mut impls = Impls::default();
        run(&mut impls, "impl A { fn f() {} fn g() {} }");
        let code = run(&mut impls, "impl A { fn g() { 1 } }");
        let rest = "const TAPER_IMPL_1: () = (); impl A { fn f() {}           } ";
        assert_eq!(code, format!("{rest}const TAPER_IMPL_2: () = (); impl A {{ fn g() {{ 1 }} }}"));
        // Nothing is left of the first when this is there.
        let code = run(&mut impls, "impl A { fn f() {} }");
        assert_eq!(code, "const TAPER_IMPL_1: () = (); impl A { fn f() {} }");
    }

    /// How many blocks there are after these cells.
    fn count(cells: &[&str]) -> usize {
        let mut impls = Impls::default();
        cells.iter().for_each(|cell| drop(run(&mut impls, cell)));
        impls.blocks.len()
    }

    #[test]
    fn two_blocks_are_the_same_by_what_they_are_about_and_not_by_how_it_is_spaced() {
        for (cells, blocks) in [
            (["impl<T> A<T> { fn f() {} }", "impl <T>A< T > { fn f() {} }"], 1),
            (["impl A { fn f() {} }", "// note\nimpl /* of */ A\n{ fn f() {} }"], 1),
            (["impl A { fn f() {} }", "#[rustfmt::skip] impl A { fn f() {} }"], 1),
            (["/// Doc\nimpl A { fn f() {} }", "impl A { fn f() {} }"], 1),
            (["unsafe impl Send for A {}", "unsafe impl Send for A {}"], 1),
            (["impl<T> A<T> where T: B { fn f() {} }", "impl<T> A<T> where T: B { fn f() { 1 } }"], 1),
            (["impl<T> A<T> where T: B { fn f() {} }", "impl<T> A<T> where T: C { fn f() {} }"], 2),
            (["impl A<u8> { fn f() {} }", "impl A<u16> { fn f() {} }"], 2),
            (["impl A { fn f() {} }", "impl B { fn f() {} }"], 2),
            (["impl Show for A {}", "impl Show for B {}"], 2),
            (["impl From<u8> for A { fn f() {} }", "impl From<u16> for A { fn f() {} }"], 2),
            (["impl A { fn f() {} }", "impl A { fn g() {} }"], 2),
            (["impl A { const C: u8 = 1; }", "impl A { const C: u8 = 2; }"], 1),
            (["impl A { type T = u8; }", "impl A { type T = u16; }"], 1),
            (["impl A { m!(1); }", "impl A { m!( 1 ); }"], 1),
            (["impl A { m!(1); }", "impl A { fn f() {} }"], 2),
            (["fn f() { impl A {} }", "mod m { impl A {} }"], 0),
        ] {
            assert_eq!(count(&cells), blocks, "{cells:?}");
        }
    }

    #[test]
    fn a_type_that_is_defined_anew_drops_the_blocks_that_came_with_it() {
        let mut impls = Impls::default();
        run(&mut impls, "struct A; impl A { fn f() {} } impl A { fn g() {} }");
        assert_eq!(
            run(&mut impls, "struct A(u8);"),
            "const TAPER_IMPL_1: () = (); const TAPER_IMPL_2: () = (); struct A(u8);"
        );
        assert_eq!(impls.blocks.len(), 0);
    }

    #[test]
    fn what_a_block_is_not_about_may_be_defined_anew_without_it() {
        let mut impls = Impls::default();
        run(&mut impls, "struct A; fn f() {} impl Show for A { fn show() {} }");
        assert_eq!(run(&mut impls, "fn f() { 1 }"), "fn f() { 1 }");
        assert_eq!(impls.blocks.len(), 1);
        assert_eq!(run(&mut impls, "struct A(u8);"), "const TAPER_IMPL_1: () = (); struct A(u8);");
        assert_eq!(impls.blocks.len(), 0);
    }
}
