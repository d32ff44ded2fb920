//! Searches a machine for driver, toolkit and GPU, and reports what is missing.

use super::Cuda;
use super::capability;
use super::toolkit::Toolkit;
use anyhow::{Result, bail, ensure};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where to search.
pub struct Machine {
    /// The toolkit's folder that the user has set, with the name of the variable.
    home: Option<(&'static str, PathBuf)>,
    /// The default folder of the toolkit.
    usual: PathBuf,
    /// The search path for programs.
    path: OsString,
    /// The compute capability that the user has set.
    capability: Option<String>,
    /// The driver's library, if the driver is needed.
    driver: Option<&'static str>,
}

impl Machine {
    /// This machine.
    pub fn this(driver_needed: bool) -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let home =
            ["CUDA_HOME", "CUDA_PATH"].into_iter().find_map(|name| Some((name, variable(name)?.into())));
        Self {
            home,
            usual: "/usr/local/cuda".into(),
            path: env::var_os("PATH").unwrap_or_default(),
            capability: variable("CUDA_COMPUTE_CAP").map(|value| value.to_string_lossy().into_owned()),
            driver: driver_needed.then_some("libcuda.so.1"),
        }
    }

    /// The toolkit and the GPU, or an error that lists everything that is missing.
    pub fn cuda(&self) -> Result<Cuda> {
        let (driver, toolkit) = (self.check_driver(), self.toolkit());
        let capability = self.capability(toolkit.as_ref().ok());
        let (toolkit, capability) = match (driver, toolkit, capability) {
            (Ok(()), Ok(toolkit), Ok(capability)) => (toolkit, capability),
            (driver, toolkit, capability) => {
                let missing = [driver.err(), toolkit.err(), capability.err()].into_iter().flatten();
                let lines: Vec<String> = missing.map(|error| format!("\n- {error}")).collect();
                bail!("CUDA cannot be used yet:{}", lines.concat());
            }
        };
        Ok(Cuda { toolkit: toolkit.folder, version: toolkit.version, folders: toolkit.folders, capability })
    }

    fn check_driver(&self) -> Result<()> {
        let Some(driver) = self.driver else { return Ok(()) };
        // SAFETY: loading a library runs its initializers. This is NVIDIA's driver, whose initializers are made to run in any
        // process: every program that uses CUDA loads it the same way.
        let loaded = unsafe { libloading::Library::new(driver) };
        ensure!(
            loaded.is_ok(),
            "there is no NVIDIA driver ({driver}): install it, or build for another machine with --without-driver"
        );
        Ok(())
    }

    fn toolkit(&self) -> Result<Toolkit> {
        let folder = match &self.home {
            Some((_, home)) if home.join("bin/nvcc").is_file() => home.clone(),
            Some((name, home)) => bail!(
                "{name} is {}, where there is no bin/nvcc: set it to the folder of the CUDA toolkit",
                home.display()
            ),
            None if self.usual.join("bin/nvcc").is_file() => self.usual.clone(),
            None => match self.program("nvcc").as_deref().and_then(Path::parent).and_then(Path::parent) {
                Some(folder) => folder.to_owned(),
                None => bail!(
                    "there is no CUDA toolkit (nvcc is neither in {} nor on the PATH): install it from \
                     https://developer.nvidia.com/cuda-downloads, or set CUDA_HOME to its folder",
                    self.usual.join("bin").display()
                ),
            },
        };
        Toolkit::open(folder)
    }

    /// The path of a program on the search path with links resolved, because the rest of a toolkit is next to its nvcc.
    fn program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.path)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())?
            .canonicalize()
            .ok()
    }

    fn capability(&self, toolkit: Option<&Toolkit>) -> Result<String> {
        let (capability, what) = match &self.capability {
            Some(given) => (capability::parse(given), format!("CUDA_COMPUTE_CAP is `{given}`")),
            None => (
                self.program("nvidia-smi").and_then(|program| capability::of_gpus(&program)),
                "the GPU's compute capability is unknown (nvidia-smi does not report it)".into(),
            ),
        };
        let Some(capability) = capability else {
            bail!("{what}: set CUDA_COMPUTE_CAP to that of the GPU, such as 90 for 9.0");
        };
        let Some(Toolkit { folder, known, .. }) = toolkit else { return Ok(capability) };
        let number = capability.trim_end_matches(['a', 'f']);
        ensure!(
            known.iter().any(|known| known == number),
            "nvcc in {} does not compile for compute capability {number}, only for {}: install a toolkit that does, or \
             correct CUDA_COMPUTE_CAP",
            folder.display(),
            known.join(", ")
        );
        Ok(capability)
    }
}

#[cfg(test)]
mod tests {
    use super::super::toolkit::LIBRARIES;
    use super::*;
    use std::fs;
    use std::process::Command;

    /// A machine without driver, toolkit or GPU, with a folder of programs.
    fn machine(programs: &Path) -> Machine {
        Machine {
            home: None,
            usual: "/no/such/toolkit".into(),
            path: programs.into(),
            capability: None,
            driver: Some("libno-such-driver.so.1"),
        }
    }

    /// Writes a script. A separate process writes it, because a process that another test is starting could inherit the open
    /// file, and a file that is open for writing cannot be executed.
    fn program(path: &Path, script: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
        assert!(Command::new("sh").args(["-c", write]).arg(path).arg(script).status().unwrap().success());
    }

    fn toolkit(folder: &Path) -> PathBuf {
        program(&folder.join("bin/nvcc"), "printf 'compute_75\\ncompute_90\\nrelease 13.0\\n'");
        fs::create_dir_all(folder.join("lib64/stubs")).unwrap();
        for library in LIBRARIES {
            let folder = folder.join(if library == "cuda" { "lib64/stubs" } else { "lib64" });
            fs::write(folder.join(format!("lib{library}.so")), "").unwrap();
        }
        folder.canonicalize().unwrap()
    }

    fn error(machine: &Machine) -> String {
        machine.cuda().unwrap_err().to_string()
    }

    #[test]
    fn everything_that_is_missing_is_reported_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            error(&machine(folder.path())),
            "CUDA cannot be used yet:\n\
             - there is no NVIDIA driver (libno-such-driver.so.1): install it, or build for another machine with \
             --without-driver\n\
             - there is no CUDA toolkit (nvcc is neither in /no/such/toolkit/bin nor on the PATH): install it from \
             https://developer.nvidia.com/cuda-downloads, or set CUDA_HOME to its folder\n\
             - the GPU's compute capability is unknown (nvidia-smi does not report it): set CUDA_COMPUTE_CAP to that of the \
             GPU, such as 90 for 9.0"
        );
    }

    #[test]
    fn a_toolkit_is_found_where_the_user_says_then_in_the_usual_place_then_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, three] = ["one", "two", "three"].map(|name| toolkit(&folder.path().join(name)));
        // As distributions do it: a link to where the toolkit is.
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(three.join("bin/nvcc"), programs.join("nvcc")).unwrap();
        program(&programs.join("nvidia-smi"), "printf '9.0\\n7.5\\n'");
        let mut machine = Machine { driver: None, ..machine(&programs) };
        assert_eq!(machine.cuda().unwrap().toolkit, three);
        machine.usual = two.clone();
        assert_eq!(machine.cuda().unwrap().toolkit, two);
        machine.home = Some(("CUDA_HOME", one.clone()));
        let cuda = machine.cuda().unwrap();
        assert_eq!((&cuda.toolkit, cuda.capability.as_str()), (&one, "75"), "what runs on all GPUs");
        let folder = one.join("lib64").display().to_string();
        let flags = [
            "-Crelro-level=partial".to_owned(),
            "-Clink-arg=-Wl,-z,lazy".to_owned(),
            format!("-Clink-arg=-Wl,-rpath,{folder}"),
            format!("-Lnative={folder}"),
            format!("-Lnative={folder}/stubs"),
        ];
        assert_eq!(cuda.rustflags(), flags);
        machine.capability = Some("9.0".into());
        let other = machine.cuda().unwrap();
        assert_ne!(cuda.identity(), other.identity(), "what is compiled for another GPU is kept apart");
    }
}
