//! CUDA: finds the driver, the toolkit, and the compute capability to compile for.

mod capability;
mod machine;
mod toolkit;

use anyhow::Result;
use machine::Machine;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The variables other than `CUDA_HOME` by which crates find a toolkit.
const OTHER_HOMES: [&str; 3] = ["CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR"];

/// A complete toolkit, and the compute capability to compile for.
#[derive(Clone, Debug, PartialEq)]
pub struct Cuda {
    /// The folder that contains `bin/nvcc`.
    toolkit: PathBuf,
    /// The last line of `nvcc --version`.
    version: String,
    /// The folders of the toolkit's libraries.
    folders: Vec<PathBuf>,
    /// The GPU's compute capability as nvcc writes it: `90` for 9.0.
    capability: String,
}

impl Cuda {
    /// Finds the toolkit and the GPU, and checks that there is a driver if `driver_needed`.
    ///
    /// # Errors
    /// When something is missing. The message has a line for each missing part that says what to do.
    pub fn find(driver_needed: bool) -> Result<Self> {
        Machine::this(driver_needed).cuda()
    }

    /// Makes a cargo command use this toolkit and compile for this GPU.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        let programs = self.toolkit.join("bin");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs.clone()].into_iter().chain(env::split_paths(&path)));
        for home in OTHER_HOMES {
            cargo.env_remove(home);
        }
        cargo.envs(self.variables()).env("NVCC", programs.join("nvcc")).env("PATH", path.unwrap_or_default());
        // By default, the build of the kernels uses half of the cores.
        if let Ok(threads) = std::thread::available_parallelism() {
            cargo.env("CUDAFORGE_THREADS", threads.to_string());
        }
    }

    /// The variables by which a kernel finds the same toolkit and GPU again, even if others are installed later.
    pub fn variables(&self) -> [(&'static str, OsString); 2] {
        [("CUDA_HOME", self.toolkit.clone().into()), ("CUDA_COMPUTE_CAP", self.capability.clone().into())]
    }

    /// The compiler flags for a library that is linked with the toolkit's libraries.
    pub(crate) fn rustflags(&self) -> Vec<String> {
        // Bind symbols lazily. candle's bindings refer to functions that an older toolkit lacks. Nothing calls them, but with
        // immediate binding, the default of some compilers, the library could not be loaded.
        let mut flags = vec!["-Crelro-level=partial".to_owned(), "-Clink-arg=-Wl,-z,lazy".to_owned()];
        flags.extend(self.folders.iter().map(|folder| format!("-Clink-arg=-Wl,-rpath,{}", folder.display())));
        flags.extend(self.link_folders().iter().map(|folder| format!("-Lnative={}", folder.display())));
        flags
    }

    /// The folders of the toolkit's libraries and of the stub of the driver.
    pub(crate) fn link_folders(&self) -> Vec<PathBuf> {
        let stubs = self.folders.iter().map(|folder| folder.join("stubs")).filter(|stubs| stubs.is_dir());
        self.folders.iter().cloned().chain(stubs).collect()
    }

    /// Cache key: environments with equal keys may share a build.
    pub(crate) fn identity(&self) -> String {
        [self.rustflags(), vec![self.version.clone(), self.capability.clone()]].concat().join("\n")
    }

    /// A description for users.
    pub fn describe(&self) -> String {
        format!("CUDA in {}, compute capability {}", self.toolkit.display(), self.capability)
    }
}
