//! What an environment for CUDA is built with and runs on: driver, toolkit, and which GPU to compile for.

mod capability;
mod machine;
mod toolkit;

use anyhow::Result;
use machine::Machine;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Other variables by which crates find a toolkit.
const OTHER_HOMES: [&str; 3] = ["CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR"];

/// A toolkit that is whole, and a GPU that it compiles for.
#[derive(Clone, Debug, PartialEq)]
pub struct Cuda {
    /// Its folder, with `bin/nvcc`.
    toolkit: PathBuf,
    /// What `nvcc --version` says last.
    version: String,
    /// The folders of its libraries.
    folders: Vec<PathBuf>,
    /// The GPU's compute capability as nvcc writes it: `90` for 9.0.
    capability: String,
}

impl Cuda {
    /// Finds them, and the driver unless it is not `needed`.
    ///
    /// # Errors
    /// Says all that is missing, and what to do about it, in a line each.
    pub fn find(driver_needed: bool) -> Result<Self> {
        Machine::this(driver_needed).cuda()
    }

    /// Has what cargo builds use this toolkit and compile for this GPU.
    pub fn set(&self, cargo: &mut Command) {
        let programs = self.toolkit.join("bin");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs.clone()].into_iter().chain(env::split_paths(&path)));
        for home in OTHER_HOMES {
            cargo.env_remove(home);
        }
        cargo.envs(self.variables()).env("NVCC", programs.join("nvcc")).env("PATH", path.unwrap_or_default());
        // By itself the build of the kernels takes half of the cores.
        if let Ok(threads) = std::thread::available_parallelism() {
            cargo.env("CUDAFORGE_THREADS", threads.to_string());
        }
    }

    /// The variables by which a kernel finds the same again, whatever else is on the machine by then.
    pub fn variables(&self) -> [(&'static str, OsString); 2] {
        [("CUDA_HOME", self.toolkit.clone().into()), ("CUDA_COMPUTE_CAP", self.capability.clone().into())]
    }

    /// The compiler flags for a library that uses those of the toolkit.
    pub fn rustflags(&self) -> Vec<String> {
        // Functions are looked up when they are called. candle's bindings know some that this toolkit may not have yet;
        // nobody calls them, but without this the library could not be loaded. Some compilers bind at once by default.
        let mut flags = vec!["-Crelro-level=partial".to_owned(), "-Clink-arg=-Wl,-z,lazy".to_owned()];
        flags.extend(self.folders.iter().map(|folder| format!("-Clink-arg=-Wl,-rpath,{}", folder.display())));
        flags.extend(self.link_folders().iter().map(|folder| format!("-Lnative={}", folder.display())));
        flags
    }

    /// Where the linker finds the toolkit's libraries, and the driver's stub.
    pub fn link_folders(&self) -> Vec<PathBuf> {
        let stubs = self.folders.iter().map(|folder| folder.join("stubs")).filter(|stubs| stubs.is_dir());
        self.folders.iter().cloned().chain(stubs).collect()
    }

    /// Cache key: environments with equal keys may share a build.
    pub fn identity(&self) -> String {
        [self.rustflags(), vec![self.version.clone(), self.capability.clone()]].concat().join("\n")
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!("CUDA in {}, compute capability {}", self.toolkit.display(), self.capability)
    }
}
