//! What the session and a cell define, as far as their text tells: variables, items, and the members of types.

use super::{Kind, Known, Word};
use crate::commands::commands;
use crate::syntax::{PRELUDE, parse_file};
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName};
use ra_ap_syntax::{SyntaxNode, TextSize};

/// The name of a type without its path, its arguments and references to it: `Point` for `&mut geometry::Point<f32>`.
fn base(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or_default();
    let name = path.rsplit(|c: char| c == ':' || c.is_whitespace() || c == '&').next();
    name.unwrap_or_default()
}

/// What the session and the cell have defined.
pub struct Scope {
    /// The variables with their types, as far as they are written down; the nearest are last.
    pub variables: Vec<(String, String)>,
    pub items: Vec<ast::Item>,
}

/// A member of a type.
pub struct Member {
    word: Word,
    /// Whether it follows a value and a dot: fields and methods.
    pub of_value: bool,
    /// Whether it follows the type and two colons: all but fields.
    pub of_type: bool,
}

impl Scope {
    pub fn of(code: &str, position: usize, known: &Known) -> Self {
        let mut items = Vec::new();
        for definition in known.definitions {
            items.extend(parse_file(definition).tree().items());
        }
        let start = commands(code).code_start;
        let cell = parse_file(&format!("{PRELUDE}{}\n}}", &code[start..])).syntax_node();
        // The first is the function around the cell.
        items.extend(cell.descendants().filter_map(ast::Item::cast).skip(1));
        let end = TextSize::new((position.saturating_sub(start) + PRELUDE.len()) as u32);
        let here = cell.descendants().filter(|node| node.text_range().start() < end);
        let own = here.filter_map(ast::IdentPat::cast).filter_map(|pattern| variable(&pattern));
        Self { variables: known.variables.iter().cloned().chain(own).collect(), items }
    }

    /// The fields and methods of a variable's type.
    pub fn fields_and_methods(&self, receiver: &str) -> Vec<Word> {
        let variable = self.variables.iter().rev().find(|(name, _)| name == receiver);
        variable
            .map_or_else(Vec::new, |(_, type_name)| self.members(base(type_name), |member| member.of_value))
    }

    /// The members of a type that the session or the cell has defined.
    pub fn members(&self, type_name: &str, is_wanted: impl Fn(&Member) -> bool) -> Vec<Word> {
        let is_named = |named: Option<ast::Name>| named.is_some_and(|name| name.text() == type_name);
        let mut members = Vec::new();
        for item in &self.items {
            match item {
                ast::Item::Struct(item) if is_named(item.name()) => {
                    if let Some(ast::FieldList::RecordFieldList(fields)) = item.field_list() {
                        let names = fields.fields().filter_map(|field| field.name());
                        members.extend(names.map(|name| Member::field(&name)));
                    }
                }
                ast::Item::Enum(item) if is_named(item.name()) => {
                    let variants = item.variant_list().into_iter().flat_map(|list| list.variants());
                    let names = variants.filter_map(|variant| variant.name());
                    members.extend(names.map(|name| Member::new(Kind::Variable, &name, false)));
                }
                ast::Item::Impl(block) => {
                    let of = block.self_ty().map(|of| of.syntax().text().to_string());
                    if of.is_some_and(|of| base(&of) == type_name) {
                        let items = block.assoc_item_list().into_iter().flat_map(|list| list.assoc_items());
                        members.extend(items.filter_map(|item| Member::of_impl(&item)));
                    }
                }
                _ => {}
            }
        }
        members.into_iter().filter(|member| is_wanted(member)).map(|member| member.word).collect()
    }
}

impl Member {
    fn new(kind: Kind, name: &ast::Name, of_value: bool) -> Self {
        Self { word: kind.word(name.text()), of_value, of_type: true }
    }

    fn field(name: &ast::Name) -> Self {
        Self { of_type: false, ..Self::new(Kind::Variable, name, true) }
    }

    fn of_impl(item: &ast::AssocItem) -> Option<Self> {
        Some(match item {
            ast::AssocItem::Fn(function) => {
                let has_self = function.param_list().is_some_and(|list| list.self_param().is_some());
                Self::new(Kind::Function, &function.name()?, has_self)
            }
            ast::AssocItem::Const(constant) => Self::new(Kind::Variable, &constant.name()?, false),
            ast::AssocItem::TypeAlias(alias) => Self::new(Kind::Type, &alias.name()?, false),
            ast::AssocItem::MacroCall(_) => return None,
        })
    }
}

/// A variable, with its type if that stands there: in a declaration, or as what makes the value.
fn variable(pattern: &ast::IdentPat) -> Option<(String, String)> {
    let name = pattern.name()?.text().to_string();
    let parent = pattern.syntax().parent()?;
    let text = |node: &SyntaxNode| node.text().to_string();
    let declared = |ty: Option<ast::Type>| ty.map(|ty| text(ty.syntax()));
    let type_name = if let Some(parameter) = ast::Param::cast(parent.clone()) {
        declared(parameter.ty())
    } else if let Some(definition) = ast::LetStmt::cast(parent) {
        declared(definition.ty()).or_else(|| made(&definition.initializer()?))
    } else {
        None
    };
    Some((name, type_name.unwrap_or_default()))
}

/// The type that an expression names: `Point` of `Point { x: 1 }` and of `Point::new(1)`, which need not return one.
fn made(expression: &ast::Expr) -> Option<String> {
    let path = match expression {
        ast::Expr::RecordExpr(record) => record.path(),
        ast::Expr::CallExpr(call) => match call.expr()? {
            ast::Expr::PathExpr(called) => called.path()?.qualifier().or_else(|| called.path()),
            _ => None,
        },
        ast::Expr::PathExpr(path) => path.path()?.qualifier().or_else(|| path.path()),
        ast::Expr::RefExpr(of) => return made(&of.expr()?),
        _ => None,
    };
    Some(path?.syntax().text().to_string())
}

/// The names that an item defines.
pub fn item_names(item: &ast::Item) -> Vec<Word> {
    let word =
        |kind: Kind, name: Option<ast::Name>| name.map(|name| kind.word(name.text())).into_iter().collect();
    match item {
        ast::Item::Const(item) => word(Kind::Variable, item.name()),
        ast::Item::Enum(item) => word(Kind::Type, item.name()),
        ast::Item::Fn(item) => word(Kind::Function, item.name()),
        ast::Item::MacroRules(item) => {
            item.name().map(|name| Kind::Function.word(&format!("{}!", name.text()))).into_iter().collect()
        }
        ast::Item::Module(item) => word(Kind::Module, item.name()),
        ast::Item::Static(item) => word(Kind::Variable, item.name()),
        ast::Item::Struct(item) => word(Kind::Type, item.name()),
        ast::Item::Trait(item) => word(Kind::Type, item.name()),
        ast::Item::TypeAlias(item) => word(Kind::Type, item.name()),
        ast::Item::Union(item) => word(Kind::Type, item.name()),
        ast::Item::Use(declaration) => declaration
            .syntax()
            .descendants()
            .filter_map(ast::UseTree::cast)
            .filter_map(|tree| imported(&tree))
            .collect(),
        _ => Vec::new(),
    }
}

/// The name that one branch of a `use` declaration imports.
fn imported(tree: &ast::UseTree) -> Option<Word> {
    if tree.star_token().is_some() || tree.use_tree_list().is_some() {
        return None;
    }
    let name = match tree.rename() {
        Some(rename) => rename.name()?.text().to_string(),
        None => match last_name(tree)?.as_str() {
            "self" => last_name(&tree.syntax().ancestors().filter_map(ast::UseTree::cast).nth(1)?)?,
            name => name.to_owned(),
        },
    };
    let kind = if name.starts_with(char::is_uppercase) { Kind::Type } else { Kind::Module };
    Some(kind.word(&name))
}

/// The last name of a path that is imported.
fn last_name(tree: &ast::UseTree) -> Option<String> {
    Some(tree.path()?.segment()?.name_ref()?.text().to_string())
}
