//! Links the objects of a cell to a library, in place of rustc.
//!
//! rustc would have the C compiler find the linker and the C libraries, each time, and would first read what all crates of the
//! session are made of, to find out which libraries hold them. Here that is known. This linker refuses whatever it cannot resolve,
//! such as functions of a library that a cell names in `#[link]`; then rustc links the cell, and if need be says what is wrong.

use environment::Toolchain;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// LLVM's linker, as it comes with the toolchain.
pub struct Linker {
    program: PathBuf,
    /// The standard library, what the compiler calls for operations that the processor lacks, and the C libraries.
    always: Vec<PathBuf>,
    /// Hides everything but the function of the cell, so that nothing is resolved to another cell's.
    exports: PathBuf,
}

impl Linker {
    /// `None` if the toolchain has no linker for this machine. `exports` is the name for a file.
    pub fn find(toolchain: &Toolchain, exports: PathBuf) -> Option<Self> {
        if !toolchain.host.contains("-linux-gnu") {
            return None;
        }
        let target = toolchain.rustc_path().canonicalize().ok()?;
        let target = target.parent()?.with_file_name("lib/rustlib").join(&toolchain.host);
        let program = target.join("bin/rust-lld");
        let library = |start, end| only(&target.join("lib"), start, end);
        let mut always = vec![library("libstd-", ".so")?, library("libcompiler_builtins-", ".rlib")?];
        always.extend(c_libraries()?);
        fs::write(&exports, format!("{{ global: {}; local: *; }};\n", crate::child::CELL)).ok()?;
        program.is_file().then_some(Self { program, always, exports })
    }

    /// Links objects to a library; returns whether that has worked. `libraries` are shared libraries, which are found where they are
    /// now when the library is loaded, and archives.
    pub fn link(&self, objects: &[PathBuf], libraries: &[PathBuf], to: &Path) -> bool {
        let mut command = Command::new(&self.program);
        command.args(["-flavor", "gnu", "-shared", "--eh-frame-hdr", "--gc-sections", "--as-needed"]);
        // Threads would take longer to start than there is work for.
        command
            .args(["-z", "defs", "-z", "noexecstack", "--threads=1", "--version-script"])
            .arg(&self.exports);
        command.arg("-o").arg(to).args(objects).args(libraries).args(&self.always);
        let folders: BTreeSet<&Path> =
            libraries.iter().chain(&self.always[..1]).filter_map(|library| library.parent()).collect();
        folders.into_iter().for_each(|folder| _ = command.arg("-rpath").arg(folder));
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// The file in a folder whose name starts and ends like this, if there is exactly one.
fn only(folder: &Path, start: &str, end: &str) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_meant = |file: &PathBuf| {
        file.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(start) && name.ends_with(end))
    };
    let mut found = files.filter(is_meant);
    found.next().filter(|_| found.next().is_none())
}

/// The C libraries, which are those that this process has loaded.
fn c_libraries() -> Option<BTreeSet<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let files = maps.lines().filter_map(|line| Some(Path::new(&line[line.find('/')?..])));
    let is_library = |file: &&Path| {
        file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(".so"))
    };
    Some(files.filter(is_library).map(Path::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::CELL;
    use libloading::Library;

    /// Links the object of a source, if it can be linked.
    fn link(folder: &Path, source: &str) -> Option<PathBuf> {
        let toolchain = Toolchain::find().unwrap();
        let linker = Linker::find(&toolchain, folder.join("exports.ld"))?;
        fs::write(folder.join("cell.rs"), source).unwrap();
        let status = Command::new(toolchain.rustc_path())
            .current_dir(folder)
            .args([
                "--crate-type",
                "cdylib",
                "--emit",
                "obj",
                "-Cprefer-dynamic",
                "-Coverflow-checks=on",
                "cell.rs",
            ])
            .status();
        assert!(status.unwrap().success());
        let library = folder.join("libcell.so");
        linker.link(&[folder.join("cell.o")], &[], &library).then_some(library)
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_library_calls_std_and_c_and_exports_nothing_but_the_cell() {
        let folder = tempfile::tempdir().unwrap();
        let source = format!(
            "unsafe extern \"C\" {{ safe fn abs(n: i32) -> i32; }}\n\
             #[unsafe(no_mangle)] pub extern \"C\" fn other() {{}}\n\
             #[unsafe(no_mangle)] pub extern \"C\" fn {CELL}(n: i32) -> usize {{\n\
                 let text = format!(\"{{}}\", u128::MAX / (abs(n) as u128));\n    text.len()\n}}\n"
        );
        let library = link(folder.path(), &source).unwrap();
        // SAFETY: the library has no initializers, and the function has this signature, as its source above shows.
        unsafe {
            let library = Library::new(library).unwrap();
            let cell = library.get::<extern "C" fn(i32) -> usize>(CELL.as_bytes()).unwrap();
            // 340282366920938463463374607431768211455 / 10
            assert_eq!(cell(-10), 38);
            assert!(library.get::<extern "C" fn()>(b"other").is_err());
        }
    }

    #[test]
    fn what_is_in_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let source = format!(
            "unsafe extern \"C\" {{ safe fn no_such_function(); }}\n\
             #[unsafe(no_mangle)] pub extern \"C\" fn {CELL}() {{ no_such_function() }}\n"
        );
        assert!(link(folder.path(), &source).is_none());
    }
}
