//! `impl` blocks: their headers and their members.

use super::item::{Impl, Item, Kind, range_in_cell};
use ra_ap_syntax::SyntaxToken;
use ra_ap_syntax::ast::{self, AstNode, HasName};

/// Describes an `impl` block that starts at byte `start` of the cell, after the items `before` it.
pub fn impl_block(block: &ast::Impl, start: usize, before: &[Item]) -> Impl {
    let list = block.assoc_item_list();
    let members = list.iter().flat_map(|list| list.assoc_items()).filter_map(|member| {
        let name = match &member {
            ast::AssocItem::Const(item) => item.name(),
            ast::AssocItem::Fn(item) => item.name(),
            ast::AssocItem::TypeAlias(item) => item.name(),
            ast::AssocItem::MacroCall(_) => None,
        };
        Some((name?.text().to_string(), range_in_cell(member.syntax(), block.syntax(), start)))
    });
    let members = members.collect();
    let braces = list.as_ref().map(|list| list.syntax().text_range().start());
    let tokens = block.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
    let is_header = |token: &SyntaxToken| {
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
