//! A CUDA toolkit.

use anyhow::{Result, bail, ensure};
use std::path::PathBuf;
use std::process::Command;

/// What candle is linked with, all of it of the toolkit; of the driver it has a stub.
pub const LIBRARIES: [&str; 6] = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];

/// Where they are in a toolkit: in NVIDIA's own, in packages of Debian, and in those of conda.
const FOLDERS: [&str; 4] = ["lib64", "lib", "lib/x86_64-linux-gnu", "targets/x86_64-linux/lib"];

/// A toolkit that has all that candle needs.
pub struct Toolkit {
    pub folder: PathBuf,
    /// What `nvcc --version` says last.
    pub version: String,
    /// The folders of its libraries.
    pub folders: Vec<PathBuf>,
    /// The compute capabilities that it compiles for.
    pub known: Vec<String>,
}

impl Toolkit {
    /// The one in a folder.
    ///
    /// # Errors
    /// Says what is missing or does not work.
    pub fn open(folder: PathBuf) -> Result<Self> {
        // Another toolkit may take the place of this one behind the same name.
        let folder = folder.canonicalize().unwrap_or(folder);
        let nvcc = folder.join("bin/nvcc");
        let ask = |question| read(Command::new(&nvcc).arg(question));
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
            "the CUDA toolkit in {} has no {}: install it whole, with what is for development",
            folder.display(),
            missing.join(", ")
        );
        let version = version.lines().last().unwrap_or_default().to_owned();
        let known =
            known.lines().filter_map(|line| line.strip_prefix("compute_")).map(str::to_owned).collect();
        Ok(Self { folder, version, folders, known })
    }
}

/// What a program prints.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
