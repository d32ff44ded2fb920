//! The compiler of cells: runs rustc, without cargo, on the crate that is generated for a cell.
//!
//! cargo would check whether any dependency has changed, which takes longer than many cells take to compile. Here, everything
//! that a cell is linked with is known: `lab`, and the sets with the crates of the session's `:dep` lines.

use crate::ahead::Ahead;
use crate::glue::ALLOWED;
use crate::linker::Linker;
use anyhow::{Context, Result, bail};
use cell::code::Code;
use environment::{Environment, Toolchain, session_directory as directory};
use std::collections::BTreeMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// rustc, and the options with which it compiles the cells of a session.
pub struct Compiler {
    pub rustc: PathBuf,
    /// The folder of the crate.
    folder: PathBuf,
    /// The flags that link `lab` and other crates.
    flags: Vec<String>,
    /// The crate before a cell, for compilers that are started ahead of it.
    before: String,
    /// The shared libraries of crates that every cell is linked with, even if it does not name them.
    sets: Vec<String>,
    /// The files that cells are linked with.
    libraries: Vec<PathBuf>,
    /// What links cells faster than rustc does.
    linker: Option<Linker>,
    /// The compiler for the next cell, and the one for the types of its variables.
    next_cell: Ahead,
    next_types: Ahead,
    /// The flags for the linker and the backend that the user has chosen.
    pub chosen: Vec<String>,
    /// The environment variables that the user has set for the compiler.
    pub environment: BTreeMap<String, String>,
    pub opt_level: String,
    pub edition: String,
    /// The number of the last library.
    number: usize,
}

/// The outcome of a compilation.
pub struct Compiled {
    /// The library, if the code compiles.
    pub library: Option<PathBuf>,
    /// rustc's messages: a [JSON object](https://doc.rust-lang.org/rustc/json.html) on each line.
    pub messages: String,
}

/// The name of the crate. It is the same as in evcxr's own kernel, because `std::any::type_name` shows it.
const CRATE: &str = "ctx";
/// The source file of the crate, from its folder.
pub const SOURCE: &str = "src/lib.rs";
/// The source file of the crate for compilers that are started ahead of a cell.
const AHEAD: &str = "src/ahead.rs";

/// The folder for the objects of a cell, from that of the crate.
const OBJECTS: &str = "target/objects";

/// Where rustc keeps what it has compiled of a cell for the next one, from the folder of the crate.
const INCREMENTAL: &str = "target/incremental";
/// How it keeps that: in many units, so that a change touches few of them. By itself rustc would then inline less, and the code run
/// slower. `-Zinline-mir` makes it inline as otherwise, and `-Zcross-crate-inline-threshold` compiles functions into each unit that
/// calls them.
const IN_UNITS: [&str; 3] =
    ["-Ccodegen-units=16", "-Zinline-mir=yes", "-Zcross-crate-inline-threshold=always"];

impl Compiler {
    /// # Errors
    /// When the folder of the session cannot be written to.
    pub fn new(toolchain: &Toolchain, session: &Path) -> io::Result<Self> {
        let folder = session.join(directory::CELLS);
        fs::create_dir_all(folder.join("src"))?;
        Ok(Self {
            rustc: toolchain.rustc_path().to_owned(),
            linker: Linker::find(toolchain, folder.join("exports.ld")),
            folder,
            flags: Vec::new(),
            before: String::new(),
            sets: Vec::new(),
            libraries: Vec::new(),
            next_cell: Ahead::default(),
            next_types: Ahead::default(),
            chosen: Vec::new(),
            environment: BTreeMap::new(),
            opt_level: "2".into(),
            edition: "2024".into(),
            number: 0,
        })
    }

    /// The folder of the crate that is generated for a cell.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Links cells with the crates of this environment from now on.
    pub fn use_crates_of(&mut self, environment: &Environment) {
        self.flags = environment.rustflags();
        // `extern crate` would make rustc spell types with the name `_` of the crate.
        let crates = environment.crates().map(|name| format!("use ::{name} as _;\n"));
        self.before = ALLOWED.to_owned() + &crates.collect::<String>();
        self.sets = environment.sets().map(str::to_owned).collect();
        self.libraries = environment.libraries();
    }

    /// Starts the compilers for the next cell, unless they wait already. Without them it is compiled in the ordinary way.
    pub fn start_ahead(&mut self) {
        let (types, source) = (self.types(), self.folder.join(AHEAD));
        let started = self.start_next_cell();
        if let Err(error) = started.and_then(|()| self.next_types.start(&self.before, types, &source, SOURCE))
        {
            tracing::warn!("no compiler waits for the next cell: {error}");
        }
    }

    fn start_next_cell(&mut self) -> io::Result<()> {
        let (command, source) = (self.incremental(), self.folder.join(AHEAD));
        self.next_cell.start(&self.before, command, &source, SOURCE)
    }

    /// Ends the compilers that wait for the next cell.
    pub fn end_ahead(&mut self) {
        self.next_cell.end();
        self.next_types.end();
    }

    /// Compiles the crate to a new library.
    pub fn build(&mut self, code: &Code) -> Result<Compiled> {
        self.number += 1;
        // A new folder identifies the library, because evcxr will rename the file.
        let out = self.folder.join("target").join(self.number.to_string());
        fs::create_dir_all(&out)?;
        let library = out.join(format!("{DLL_PREFIX}{CRATE}{DLL_SUFFIX}"));
        if self.linker.is_some() && self.chosen.is_empty() {
            // Those of a compilation that was interrupted.
            self.remove_objects()?;
            let ahead = included(code).and_then(|text| self.build_from_last(&text));
            if ahead.is_none() {
                // What rustc has kept may be why it failed, such as by filling the disk.
                let _ = fs::remove_dir_all(self.folder.join(INCREMENTAL));
            }
            let (is_compiled, messages) = self.outcome(ahead, self.objects(), code.text())?;
            if !is_compiled {
                return Ok(Compiled { library: None, messages });
            }
            if self.link(&library)? {
                return Ok(Compiled { library: Some(library), messages });
            }
        }
        // rustc looks for crates in the shared libraries that the code names. Appended, so that the positions in it do not change.
        let mut text = code.text().to_owned();
        self.sets.iter().for_each(|set| text.push_str(&format!("extern crate {set} as _;\n")));
        let (is_compiled, messages) = self.outcome(None, self.generating("link", &out), &text)?;
        Ok(Compiled { library: is_compiled.then_some(library), messages })
    }

    /// Compiles the text to objects with what rustc has kept of the last cell. `None` if the outcome is in doubt.
    fn build_from_last(&mut self, text: &str) -> Option<Output> {
        // As a rule it has been waiting since the last cell.
        self.start_next_cell().ok()?;
        let command = self.incremental();
        self.next_cell.compile(&self.before, &command, text)
    }

    /// Checks the crate, with types spelled as full paths in the messages; returns the messages.
    pub fn probe(&mut self, code: &Code) -> Result<String> {
        let command = self.types();
        let ahead = included(code).and_then(|text| self.next_types.compile(&self.before, &command, &text));
        Ok(self.outcome(ahead, command, code.text())?.1)
    }

    /// Checks the crate; returns rustc's messages.
    pub fn check(&self, code: &Code) -> Result<String> {
        let mut command = self.rustc();
        command.args(["--emit", "metadata", "--out-dir", "target"]);
        Ok(self.outcome(None, command, code.text())?.1)
    }

    /// Parses the crate; returns rustc's messages, which are about its syntax.
    pub fn parse(&self, code: &Code) -> Result<String> {
        let mut command = self.rustc();
        command.arg("-Zparse-crate-root-only").env("RUSTC_BOOTSTRAP", "1");
        Ok(self.outcome(None, command, code.text())?.1)
    }

    /// rustc, without the source.
    fn rustc(&self) -> Command {
        let mut command = Command::new(&self.rustc);
        command
            .current_dir(&self.folder)
            .args(["--crate-name", CRATE, "--crate-type", "cdylib"])
            .arg(format!("--edition={}", self.edition))
            .args(["--error-format=json", "--json=diagnostic-rendered-ansi"])
            .args(&self.flags)
            .args(&self.chosen)
            .envs(&self.environment);
        command
    }

    /// rustc, for the objects of a cell.
    fn objects(&self) -> Command {
        self.generating("obj", Path::new(OBJECTS))
    }

    /// rustc, for the objects of a cell, with what it has kept of the one before.
    fn incremental(&self) -> Command {
        let mut command = self.objects();
        command.arg(format!("-Cincremental={INCREMENTAL}")).args(IN_UNITS);
        // Needed for `-Z`, which is unstable.
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }

    /// rustc, for the types of the variables of a cell.
    fn types(&self) -> Command {
        let mut command = self.rustc();
        command.args([
            "--emit",
            "metadata",
            "--out-dir",
            "target",
            "-Ztrim-diagnostic-paths=no",
            "--verbose",
        ]);
        // Needed for `-Ztrim-diagnostic-paths`, which is unstable.
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }

    /// rustc, for files of this kind with machine code, in the folder `out`.
    fn generating(&self, kind: &str, out: &Path) -> Command {
        let mut command = self.rustc();
        // Optimizing the units together as well would take a sixth of the time of a cell, and hardly any code runs faster for it.
        command.args(["--emit", kind, "-Ccodegen-units=4", "-Clto=off", "-Crpath"]).arg("--out-dir").arg(out);
        command.arg(format!("-Copt-level={}", self.opt_level));
        // Line tables, which backtraces need, cost next to nothing.
        command.args(["-Cdebug-assertions=on", "-Cdebuginfo=line-tables-only", "-Cstrip=none"]);
        command
    }

    /// Whether rustc has succeeded, and its messages. If it has not run `ahead`, runs the command on this text.
    fn outcome(&self, ahead: Option<Output>, mut command: Command, text: &str) -> Result<(bool, String)> {
        // Users can look at it (`:last_compile_dir`), also when it was not read from there.
        let source = self.folder.join(SOURCE);
        fs::create_dir_all(source.parent().unwrap_or(&self.folder))?;
        fs::write(&source, text).with_context(|| format!("cannot write {}", source.display()))?;
        let output = match ahead {
            Some(output) => output,
            None => {
                tracing::debug!("no compiler was ready for this cell, or its answer is in doubt");
                command.arg(SOURCE).output().context("cannot run rustc")?
            }
        };
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code().is_none() {
            // What it says before it crashes, as on a full disk, is not in JSON.
            let said: Vec<&str> = messages.lines().filter(|line| !line.starts_with('{')).collect();
            bail!("the compiler was killed ({}) {}", output.status, said.join("\n"));
        }
        Ok((output.status.success(), messages))
    }

    /// Links the objects of a cell to a library, and removes them. Returns whether that has worked.
    fn link(&self, library: &Path) -> Result<bool> {
        let mut objects = self.all_objects()?;
        // There is one for each codegen unit. If there is only one, it is there twice.
        let single = self.folder.join(OBJECTS).join(CRATE).with_extension("o");
        if objects.contains(&single) {
            objects = vec![single];
        }
        let is_linked =
            self.linker.as_ref().is_some_and(|linker| linker.link(&objects, &self.libraries, library));
        self.remove_objects()?;
        if !is_linked {
            tracing::debug!("the cell has to be linked by rustc");
        }
        Ok(is_linked)
    }

    fn all_objects(&self) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(self.folder.join(OBJECTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?.map(|entry| Ok(entry?.path())).collect(),
        }
    }

    fn remove_objects(&self) -> io::Result<()> {
        self.all_objects()?.iter().try_for_each(fs::remove_file)
    }
}

/// The text of a crate as it can be included in another one, with everything in its place. `None` if it has attributes of its own.
fn included(code: &Code) -> Option<String> {
    let rest = code.text().strip_prefix(ALLOWED).filter(|rest| !rest.starts_with("#!["))?;
    Some(" ".repeat(ALLOWED.len() - 1) + "\n" + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::CELL;
    use libloading::Library;

    fn code(text: &str) -> Code {
        let mut code = Code::new();
        code.generate(ALLOWED).generate(text);
        code
    }

    /// A compiler that needs no `lab`, and the folder of its session.
    fn compiler() -> (Compiler, tempfile::TempDir) {
        let session = tempfile::tempdir().unwrap();
        let mut compiler = Compiler::new(&Toolchain::find().unwrap(), session.path()).unwrap();
        compiler.flags.push("-Cprefer-dynamic".into());
        compiler.before = ALLOWED.into();
        (compiler, session)
    }

    /// What the function of the compiled cell returns.
    fn run(library: &Path) -> usize {
        // SAFETY: the libraries in these tests have no initializers, and their function has this signature.
        unsafe { Library::new(library).unwrap().get::<extern "C" fn() -> usize>(CELL.as_bytes()).unwrap()() }
    }

    #[test]
    fn the_objects_of_an_interrupted_compilation_are_not_linked() {
        let (mut compiler, _session) = compiler();
        let signature = format!("#[unsafe(no_mangle)] pub extern \"C\" fn {CELL}() -> usize");
        // It leaves a single object, which has a name of its own.
        let (is_compiled, messages) =
            compiler.outcome(None, compiler.objects(), &format!("{signature} {{ 1 }}")).unwrap();
        assert!(is_compiled && compiler.all_objects().unwrap().len() == 2, "{messages}");
        let several = format!("{signature} {{ format!(\"{{:?}}\", vec![1, 2, 3]).len() }}");
        let library = compiler.build(&code(&several)).unwrap().library.unwrap();
        assert_eq!(run(&library), 9);
        assert!(compiler.all_objects().unwrap().is_empty());
        let library = compiler.build(&code(&format!("{signature} {{ 4 }}"))).unwrap().library.unwrap();
        assert_eq!(run(&library), 4);
    }

    #[test]
    fn a_changed_cell_is_compiled_from_what_was_kept_of_it() {
        let (mut compiler, _session) = compiler();
        let cell = |number: usize, addition: &str| {
            code(&format!(
                "fn small(n: usize) -> usize {{ n {addition} }}\n\
                 fn generic<T: ToString>(value: T) -> usize {{ value.to_string().len() }}\n\
                 #[unsafe(no_mangle)] pub extern \"C\" fn {CELL}() -> usize {{\n\
                     [1, 10, {number}].into_iter().map(|n| small(n) + generic(n)).sum()\n}}\n"
            ))
        };
        let kept = |compiler: &Compiler| compiler.folder.join(INCREMENTAL).is_dir();
        // The constant, an inlined function, what is inlined, and the first cell again.
        for (number, addition, expected) in
            [(100, "+ 0", 117), (7, "+ 0", 22), (7, "* 2", 40), (7, "* 2 + 1", 43), (100, "+ 0", 117)]
        {
            let library = compiler.build(&cell(number, addition)).unwrap().library.unwrap();
            assert_eq!(run(&library), expected, "{number} {addition}");
            assert!(kept(&compiler));
        }
        let wrong = compiler.build(&cell(7, "+ \"text\"")).unwrap();
        assert!(wrong.library.is_none() && wrong.messages.contains("E0277") && kept(&compiler));
        // When rustc fails for what is kept, it is compiled without that.
        let units = compiler.folder.join(INCREMENTAL);
        fs::remove_dir_all(&units).unwrap();
        fs::write(&units, "no folder").unwrap();
        let library = compiler.build(&cell(7, "+ 0")).unwrap().library.unwrap();
        assert_eq!(run(&library), 22);
    }

    #[test]
    fn unstable_rust_is_refused_in_the_words_of_stable() {
        let (mut compiler, _session) = compiler();
        let messages = compiler.build(&code("pub fn never(value: [!; 0]) {}\n")).unwrap().messages;
        assert!(messages.contains("E0658") && !messages.contains("feature(never_type)"), "{messages}");
    }

    #[test]
    fn a_crate_with_attributes_of_its_own_is_not_included() {
        let text = included(&code("fn f() {}\n")).unwrap();
        assert_eq!(text.len(), code("fn f() {}\n").text().len());
        assert_eq!(text.lines().collect::<Vec<_>>(), [&" ".repeat(ALLOWED.len() - 1), "fn f() {}"]);
        assert_eq!(included(&code("#![recursion_limit = \"256\"]\nfn f() {}\n")), None);
    }
}
