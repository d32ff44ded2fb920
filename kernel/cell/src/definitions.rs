//! The items that the cells of a session have defined, without those that later cells have replaced.
//!
//! Each cell is compiled as a crate of its own that also contains the items of all earlier cells. When a cell defines an
//! item again, the old definition is removed. Functions, types and imports replace each other by name. A trait `impl`
//! replaces the one with the same header (the tokens before its braces); an inherent `impl` replaces only the members that
//! it defines itself. Items without a name replace items with the same tokens.

mod impl_block;
mod imports;
mod item;
mod items;
mod reach;
#[cfg(test)]
mod tests;

use crate::code::{Code, Place, Source};
use crate::syntax::Cell;
use item::{Impl, Item, Kind};
use items::items;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The items of a session, in the order in which they were defined.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    items: Vec<Arc<Item>>,
}

/// The definitions after a cell, and what the cell has changed.
pub struct Change {
    pub definitions: Definitions,
    /// The names that now mean something else, and the names of items that are built on them. Functions are left out.
    pub changed: BTreeSet<String>,
    /// The names that are now imported from somewhere else.
    pub changed_imports: BTreeSet<String>,
}

impl Change {
    /// Whether a type, as rustc spells it, is built on a name that now means something else.
    pub fn concerns(&self, type_name: &str) -> bool {
        is_built_on(type_name, &self.changed)
    }

    /// Whether a type, as its author has written it, contains a name that is now imported from somewhere else.
    pub fn concerns_imports(&self, type_name: &str) -> bool {
        is_built_on(type_name, &self.changed_imports)
    }
}

/// Whether a type, as rustc spells it, is built on one of these names.
pub fn is_built_on(type_name: &str, names: &BTreeSet<String>) -> bool {
    first_names(type_name).any(|name| names.contains(name))
}

/// All identifiers and keywords in code, or in a type.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The first segment of each path in a type: `Vec`, `m` and `Point` in `Vec<m::Other, Point>`.
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
    /// The definitions after a cell. `macros` are the macro calls of the cell that expand to items.
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

    /// Removes and returns the items that a new one replaces. Two definitions in the same cell are both kept, so that the
    /// compiler reports them.
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
        // The `impl` blocks that were written next to a replaced type.
        let is_orphaned = |old: &Item| match &old.kind {
            Kind::Impl(block) => replaced.iter().any(|owner| {
                Arc::ptr_eq(&owner.source, &old.source)
                    && owner.name.as_ref().is_some_and(|name| Some(&name.text) == block.owner.as_ref())
            }),
            _ => false,
        };
        let orphaned: Vec<Arc<Item>> = self.items.extract_if(.., |old| is_orphaned(old)).collect();
        replaced.extend(orphaned);
        if let Kind::Impl(Impl { header, is_of_trait: false, members, .. }) = &new.kind {
            for item in self.items.iter_mut().filter(|old| is_earlier(old)) {
                let Kind::Impl(block) = &item.kind else { continue };
                if block.header == *header {
                    let is_redefined = |name: &str| members.iter().any(|(member, _)| member == name);
                    let cut = block.members.iter().filter(|(name, _)| is_redefined(name));
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

    /// Removes the definition at a place in an earlier cell, because rustc reports that it conflicts with one of the
    /// current cell: a conflict that only the compiler sees, when a path is spelled differently or a macro made the item.
    /// Returns whether there was a definition at that place.
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

    /// Adds the names of items that are built on changed names, such as a struct that has one as the type of a field.
    fn spread(&self, changed: &mut BTreeSet<String>) {
        loop {
            let before = changed.len();
            for item in self.items.iter().filter(|item| matches!(item.kind, Kind::Other | Kind::Macro { .. }))
            {
                if let Some(name) = &item.name
                    && !changed.contains(&name.text)
                    && item.identifiers.iter().any(|identifier| changed.contains(identifier))
                {
                    changed.insert(name.text.clone());
                }
            }
            if changed.len() == before {
                return;
            }
        }
    }

    /// The names of items that are built on one of these crates, directly or by an import.
    pub fn built_on(&self, crates: &[String]) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = crates.iter().cloned().collect();
        let is_import = |item: &&Arc<Item>| matches!(item.kind, Kind::Import);
        for item in self.items.iter().filter(is_import) {
            if item.identifiers.iter().any(|identifier| names.contains(identifier)) {
                match &item.name {
                    Some(name) => _ = names.insert(name.text.clone()),
                    // An import of everything: any name may be from there.
                    None => names
                        .extend(self.items.iter().filter_map(|item| Some(item.name.as_ref()?.text.clone()))),
                }
            }
        }
        self.spread(&mut names);
        names
    }

    /// All items, as code for the top level of a crate.
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

    /// Whether the session's macro of this name expands to items; `None` if the session has no such macro.
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
