//! rust-analyzer's database: the crates that cells may use, and one file, which is the cell.
//!
//! The database is filled here rather than by rust-analyzer's own loader for cargo projects, which starts cargo several times,
//! reads more than cells can use, and takes every file for one that is being edited: then each answer would begin by looking at
//! all of them.

use super::files::Files;
use super::{Item, Response, Snippet};
use crate::shown_crates::{Named, Shown};
use ra_ap_cfg::{CfgAtom, CfgOptions};
use ra_ap_hir::{ChangeWithProcMacros, PrefixKind, Symbol};
use ra_ap_ide::{
    AnalysisHost, CallableSnippets, CompletionConfig, CompletionFieldsToResolve, CompletionItem,
    CompletionItemKind, CrateGraphBuilder, Edition, FileId, FilePosition, FileRange, HoverConfig,
    HoverDocFormat, RaFixtureConfig, SourceRoot, SubstTyLen, TextRange,
};
use ra_ap_ide_db::base_db::{
    AbsPathBuf, CrateBuilderId, CrateDisplayName, CrateName, CrateOrigin, CrateWorkspaceData,
    DependencyBuilder, Env, LangCrateOrigin,
};
use ra_ap_ide_db::imports::insert_use::{ImportGranularity, InsertUseConfig};
use ra_ap_ide_db::{SnippetCap, SymbolKind};
use regex::Regex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;
use triomphe::Arc;

/// The crates of the standard library, with what each depends on. `core` comes before `std`, as for rustc.
const STANDARD: [(&str, &[&str]); 5] = [
    ("core", &[]),
    ("alloc", &["core"]),
    ("std_detect", &["core", "alloc"]),
    ("std", &["core", "alloc", "std_detect"]),
    ("proc_macro", &["core", "std"]),
];
/// The crates of the standard library that every crate has, and whether it may name them without `extern crate`.
const IMPLIED: [(&str, bool); 4] = [("core", true), ("alloc", false), ("std", true), ("proc_macro", false)];

/// A cell whose completion needs the traits and names of all crates.
const SAMPLE: &str = "let list = vec![1.0f32]; list.";

pub struct Host {
    host: AnalysisHost,
    files: Files,
    cell: FileId,
    cfg: CfgOptions,
    /// The root of each crate of the standard library.
    standard: Vec<(&'static str, FileId)>,
    shown: Vec<Shown>,
    named: Vec<Named>,
}

impl Host {
    /// Reads the standard library, whose sources are in `library`. `cfg` is what `rustc --print cfg` prints.
    pub fn new(library: &Path, cfg: &str) -> Self {
        let mut files = Files::default();
        let cell = files.add_virtual("/cell.rs");
        let mut standard = Vec::new();
        for (name, _) in STANDARD {
            let folder = library.join(name).join("src");
            files.add_library(&folder);
            standard.extend(files.id(&folder.join("lib.rs")).map(|id| (name, id)));
        }
        let (host, cfg) = (AnalysisHost::new(None), cfg.lines().map(atom).collect());
        let mut this = Self { host, files, cell, cfg, standard, shown: Vec::new(), named: Vec::new() };
        this.load();
        this
    }

    /// Shows these crates and no others besides the standard library; cells know those in `named`.
    pub fn show(&mut self, shown: Vec<Shown>, named: Vec<Named>) {
        for Shown { root, is_local, .. } in &shown {
            let folder = root.parent().unwrap_or(root);
            if *is_local {
                self.files.add_local(folder);
            } else if self.files.id(root).is_none() {
                self.files.add_library(folder);
            }
        }
        (self.shown, self.named) = (shown, named);
        self.load();
    }

    /// Passes on files that are new or have changed, and how the crates depend on one another.
    fn load(&mut self) {
        let mut change = ChangeWithProcMacros::default();
        let roots = self.files.roots().map(|(files, is_local)| match is_local {
            true => SourceRoot::new_local(files),
            false => SourceRoot::new_library(files),
        });
        change.set_roots(roots.collect());
        for (file, text) in self.files.take_changed() {
            change.change_file(file, Some(text));
        }
        change.set_crate_graph(self.graph());
        self.host.apply_change(change);
    }

    fn graph(&self) -> CrateGraphBuilder {
        let mut graph = CrateGraphBuilder::default();
        let workspace = Arc::new(CrateWorkspaceData { target: Err("not needed".into()), toolchain: None });
        let mut add = |file: FileId, edition: Edition, name: &str, version, cfg, env, origin, is_macro| {
            let name = Some(CrateDisplayName::from_canonical_name(name));
            let folder = Arc::new(AbsPathBuf::assert("/".into()));
            graph.add_crate_root(
                file,
                edition,
                name,
                version,
                cfg,
                None,
                env,
                origin,
                Vec::new(),
                is_macro,
                folder,
                Arc::clone(&workspace),
            )
        };
        let standard: HashMap<&str, CrateBuilderId> = self
            .standard
            .iter()
            .map(|(name, file)| {
                let origin = CrateOrigin::Lang(LangCrateOrigin::from(*name));
                let (cfg, env) = (self.cfg.clone(), Env::default());
                (*name, add(*file, Edition::Edition2024, name, None, cfg, env, origin, false))
            })
            .collect();
        let mut shown: HashMap<&str, CrateBuilderId> = HashMap::new();
        for of in &self.shown {
            let Some(file) = self.files.id(&of.root) else { continue };
            let mut cfg = self.cfg.clone();
            let feature = |name: &String| CfgAtom::KeyValue {
                key: Symbol::intern("feature"),
                value: Symbol::intern(name),
            };
            cfg.extend(of.features.iter().map(feature));
            let mut env = Env::default();
            env.insert("CARGO_PKG_NAME", &of.name);
            env.insert("CARGO_PKG_VERSION", &of.version);
            let origin = CrateOrigin::Library { repo: None, name: Symbol::intern(&of.name) };
            let edition = of.edition.parse().unwrap_or(Edition::CURRENT);
            let version = Some(of.version.clone());
            let id = add(file, edition, &of.name.replace('-', "_"), version, cfg, env, origin, of.is_macro);
            shown.insert(&of.id, id);
        }
        let origin = CrateOrigin::Local { repo: None, name: None };
        let (cfg, env) = (self.cfg.clone(), Env::default());
        let cell = add(self.cell, Edition::CURRENT, "cell", None, cfg, env, origin, false);

        let mut depend = |from: CrateBuilderId, name: &str, to: Option<&CrateBuilderId>| {
            if let (Ok(name), Some(to)) = (CrateName::new(name), to) {
                // A circle of dependencies is not added.
                let _ = graph.add_dep(from, DependencyBuilder::new(name, *to));
            }
        };
        for (name, dependencies) in STANDARD {
            for dependency in dependencies {
                if let Some(from) = standard.get(name) {
                    depend(*from, dependency, standard.get(dependency));
                }
            }
        }
        for of in &self.shown {
            let Some(from) = shown.get(of.id.as_str()) else { continue };
            for Named { name, id } in &of.dependencies {
                depend(*from, name, shown.get(id.as_str()));
            }
        }
        for Named { name, id } in &self.named {
            depend(cell, name, shown.get(id.as_str()));
        }
        for from in shown.values().chain([&cell]) {
            for (name, may_be_named) in IMPLIED {
                if let (Ok(crate_name), Some(to)) = (CrateName::new(name), standard.get(name)) {
                    let implied = DependencyBuilder::with_prelude(crate_name, *to, may_be_named, true);
                    let _ = graph.add_dep(*from, implied);
                }
            }
        }
        graph
    }

    /// Makes this the cell; returns where in the file its code is.
    fn set_cell(&mut self, snippet: &Snippet) -> usize {
        if self.files.look_at_local() {
            self.load();
        }
        let Snippet { definitions, variables, code, .. } = snippet;
        let before = format!(
            "{definitions}\nasync fn cell() -> Result<(), Box<dyn std::error::Error>> {{\n{variables}"
        );
        let mut change = ChangeWithProcMacros::default();
        change.change_file(self.cell, Some(format!("{before}{code}\n;Ok(()) }}")));
        self.host.apply_change(change);
        before.len()
    }

    /// Analyzes in advance what most completions need. A question interrupts that, and goes on from there.
    pub fn warm_up(&mut self) {
        let code = SAMPLE.to_owned();
        let snippet = Snippet { position: code.len(), code, ..Snippet::default() };
        let position = self.set_cell(&snippet) + snippet.position;
        let (analysis, position) = (self.host.analysis(), self.position(position));
        std::thread::spawn(move || {
            give_way();
            let _ = analysis.completions(&completion_config(), position, None);
            drop(analysis);
            super::give_back_memory();
        });
    }

    /// The completions at the snippet's position.
    pub fn complete(&mut self, snippet: &Snippet) -> Response {
        let start = self.set_cell(snippet);
        let position = self.position(start + snippet.position);
        let Ok(Some(found)) = self.host.analysis().completions(&completion_config(), position, None) else {
            return Response::Nothing;
        };
        let mut range: Option<TextRange> = None;
        let mut items = Vec::new();
        for item in found {
            let Some((replaced, found)) = completion(item, &snippet.code, start) else { continue };
            if *range.get_or_insert(replaced) == replaced {
                items.push(found);
            }
        }
        match range {
            Some(range) => Response::Completions {
                start: usize::from(range.start()) - start,
                end: usize::from(range.end()) - start,
                items,
            },
            None => Response::Nothing,
        }
    }

    /// The documentation of what is at the snippet's position.
    pub fn help(&mut self, snippet: &Snippet) -> Response {
        let start = self.set_cell(snippet);
        let FilePosition { file_id, offset } = self.position(start + snippet.position);
        let range = FileRange { file_id, range: TextRange::empty(offset) };
        let ask = |format| {
            let found = self.host.analysis().hover(&hover_config(format), range).ok()??;
            Some(String::from(found.info.markup))
        };
        match (ask(HoverDocFormat::PlainText), ask(HoverDocFormat::Markdown)) {
            (Some(text), Some(markdown)) => {
                let mut html = String::new();
                pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(&markdown));
                Response::Help { text, html }
            }
            _ => Response::Nothing,
        }
    }

    fn position(&self, byte: usize) -> FilePosition {
        FilePosition { file_id: self.cell, offset: u32::try_from(byte).unwrap_or_default().into() }
    }
}

/// Makes this thread wait for all others that want the processor.
fn give_way() {
    #[cfg(target_os = "linux")]
    // SAFETY: `setpriority` takes numbers only. On Linux it concerns this thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
    }
}

/// A completion of the cell's code, with what it replaces. `None` if it does not start with what is there.
fn completion(item: CompletionItem, code: &str, start: usize) -> Option<(TextRange, Item)> {
    static PLACEHOLDER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\$\{[0-9]+:([^}]*)\}").expect("a pattern"));
    let mut edits = item.text_edit.iter();
    let (edit, None) = (edits.next()?, edits.next()) else { return None };
    let from = usize::from(edit.delete.start()).checked_sub(start)?;
    let replaced = code.get(from..usize::from(edit.delete.end()) - start)?;
    if !item.lookup().starts_with(replaced) {
        return None;
    }
    let text = PLACEHOLDER.replace_all(&edit.insert, "$1").replace("$0", "");
    let (kind, label) = (kind(item.kind).to_owned(), item.label.primary.to_string());
    Some((edit.delete, Item { text, kind, label }))
}

/// A line of `rustc --print cfg`.
fn atom(line: &str) -> CfgAtom {
    match line.split_once('=') {
        Some((key, value)) => {
            CfgAtom::KeyValue { key: Symbol::intern(key), value: Symbol::intern(value.trim_matches('"')) }
        }
        None => CfgAtom::Flag(Symbol::intern(line)),
    }
}

fn completion_config() -> CompletionConfig<'static> {
    CompletionConfig {
        enable_postfix_completions: true,
        enable_imports_on_the_fly: false,
        enable_self_on_the_fly: true,
        enable_auto_iter: true,
        enable_auto_await: true,
        enable_private_editable: true,
        // It looks for expressions of the expected type, which takes longer than all the rest.
        enable_term_search: false,
        term_search_fuel: 0,
        full_function_signatures: true,
        callable: Some(CallableSnippets::FillArguments),
        add_semicolon_to_unit: true,
        add_colons_to_module: true,
        snippet_cap: SnippetCap::new(true),
        insert_use: InsertUseConfig {
            granularity: ImportGranularity::Item,
            enforce_granularity: false,
            prefix_kind: PrefixKind::ByCrate,
            group: false,
            skip_glob_imports: false,
        },
        prefer_no_std: false,
        prefer_prelude: false,
        prefer_absolute: false,
        snippets: Vec::new(),
        limit: None,
        fields_to_resolve: CompletionFieldsToResolve::empty(),
        exclude_flyimport: Vec::new(),
        exclude_traits: &[],
        ra_fixture: RaFixtureConfig::default(),
    }
}

fn hover_config(format: HoverDocFormat) -> HoverConfig<'static> {
    HoverConfig {
        links_in_hover: true,
        memory_layout: None,
        documentation: true,
        keywords: true,
        format,
        max_trait_assoc_items_count: None,
        max_fields_count: Some(5),
        max_enum_variants_count: Some(5),
        max_subst_ty_len: SubstTyLen::Unlimited,
        show_drop_glue: false,
        ra_fixture: RaFixtureConfig::default(),
    }
}

/// The name that Jupyter's clients have for a kind of item.
fn kind(kind: CompletionItemKind) -> &'static str {
    use SymbolKind as S;
    match kind {
        CompletionItemKind::Keyword => "keyword",
        CompletionItemKind::SymbolKind(kind) => match kind {
            S::Function | S::Method | S::Macro | S::ProcMacro | S::Derive | S::Attribute => "function",
            S::DeriveHelper | S::BuiltinAttr => "function",
            S::Struct | S::Enum | S::Union | S::Trait | S::TypeAlias | S::TypeParam | S::SelfType => "class",
            S::Module | S::CrateRoot | S::ToolModule => "module",
            _ => "instance",
        },
        _ => "instance",
    }
}
