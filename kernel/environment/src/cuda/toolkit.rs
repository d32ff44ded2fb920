//! Checks a CUDA toolkit.

use anyhow::{Result, bail, ensure};
use std::path::PathBuf;
use std::process::Command;

/// The libraries that candle is linked with. All are part of the toolkit, which has a stub of the driver's library `cuda`.
pub const LIBRARIES: [&str; 6] = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];

/// The folders of libraries in a toolkit from NVIDIA, from Debian's packages, or from conda.
const FOLDERS: [&str; 4] = ["lib64", "lib", "lib/x86_64-linux-gnu", "targets/x86_64-linux/lib"];

/// A toolkit with everything that candle needs.
pub struct Toolkit {
    pub folder: PathBuf,
    /// The last line of `nvcc --version`.
    pub version: String,
    /// The folders of the libraries.
    pub folders: Vec<PathBuf>,
    /// The compute capabilities that nvcc can compile for.
    pub known: Vec<String>,
}

impl Toolkit {
    /// Checks the toolkit in a folder.
    ///
    /// # Errors
    /// When something is missing or does not work.
    pub fn open(folder: PathBuf) -> Result<Self> {
        // A link such as /usr/local/cuda may lead to another toolkit later.
        let folder = folder.canonicalize().unwrap_or(folder);
        let nvcc = folder.join("bin/nvcc");
        let ask = |question| output_of(Command::new(&nvcc).arg(question));
        let (version, known) = match (ask("--version"), ask("--list-gpu-arch")) {
            (Ok(version), Ok(known)) => (version, known),
            (Err(error), _) | (_, Err(error)) => {
                bail!("{} does not work ({error}): install the CUDA toolkit again", nvcc.display())
            }
        };
        let mut folders = Vec::new();
        let mut missing = Vec::new();
        for library in LIBRARIES.map(|name| format!("lib{name}.so")) {
            let has_it = |folder: &PathBuf| {
                folder.join(&library).exists() || folder.join("stubs").join(&library).exists()
            };
            match FOLDERS.map(|name| folder.join(name)).into_iter().find(has_it) {
                Some(folder) if folders.contains(&folder) => {}
                Some(folder) => folders.push(folder),
                None => missing.push(library),
            }
        }
        ensure!(
            missing.is_empty(),
            "the CUDA toolkit in {} has no {}: install the complete toolkit, with its development files",
            folder.display(),
            missing.join(", ")
        );
        let version = version.lines().last().unwrap_or_default().to_owned();
        let known =
            known.lines().filter_map(|line| line.strip_prefix("compute_")).map(str::to_owned).collect();
        Ok(Self { folder, version, folders, known })
    }
}

/// The standard output of a program that succeeds.
pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
