//! What an environment for CUDA is built with and runs on: driver, toolkit, and which GPU to compile for.

use anyhow::{Result, bail, ensure};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What candle is linked with, all of it of the toolkit; of the driver it has a stub.
const LIBRARIES: [&str; 6] = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];

/// Where they are in a toolkit: in NVIDIA's own, in packages of Debian, and in those of conda.
const FOLDERS: [&str; 4] = ["lib64", "lib", "lib/x86_64-linux-gnu", "targets/x86_64-linux/lib"];

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

    /// Different where a build would be.
    pub fn identity(&self) -> String {
        [self.rustflags(), vec![self.version.clone(), self.capability.clone()]].concat().join("\n")
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!("CUDA in {}, compute capability {}", self.toolkit.display(), self.capability)
    }
}

/// Where to look.
struct Machine {
    /// The toolkit's folder, if the user names one, and the variable that does.
    home: Option<(&'static str, PathBuf)>,
    /// Where it is if nobody says anything else.
    usual: PathBuf,
    /// Folders of programs, as in `PATH`.
    path: OsString,
    capability: Option<String>,
    /// The driver's library.
    driver: Option<&'static str>,
}

impl Machine {
    fn this(driver_needed: bool) -> Self {
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

    fn cuda(&self) -> Result<Cuda> {
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
        // SAFETY: it is NVIDIA's driver, which does nothing when it is loaded; everything on CUDA loads it.
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

    /// Where a program is, behind links: next to that is the rest of its toolkit.
    fn program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.path)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())?
            .canonicalize()
            .ok()
    }

    fn capability(&self, toolkit: Option<&Toolkit>) -> Result<String> {
        let (capability, what) = match &self.capability {
            Some(given) => (parse_capability(given), format!("CUDA_COMPUTE_CAP is `{given}`")),
            None => (
                self.ask_driver(),
                "the GPU's compute capability is unknown (nvidia-smi does not tell)".into(),
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

    /// The lowest of all GPUs: what is compiled for it runs on the others, as a rule.
    fn ask_driver(&self) -> Option<String> {
        let program = self.program("nvidia-smi")?;
        let answer =
            read(Command::new(program).args(["--query-gpu=compute_cap", "--format=csv,noheader"])).ok()?;
        answer.lines().filter_map(parse_capability).min_by_key(|capability| capability.parse::<u32>().ok())
    }
}

struct Toolkit {
    folder: PathBuf,
    version: String,
    folders: Vec<PathBuf>,
    /// The compute capabilities that it compiles for.
    known: Vec<String>,
}

impl Toolkit {
    fn open(folder: PathBuf) -> Result<Self> {
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
fn read(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads `9.0`, `90` and `90a` as nvcc writes them: at least two digits, the last of which stands behind the point.
fn parse_capability(text: &str) -> Option<String> {
    let text = text.trim();
    let number = text.strip_suffix(['a', 'f']).unwrap_or(text);
    let digits = match number.split_once('.') {
        Some((major, minor)) if minor.len() == 1 => format!("{major}{minor}"),
        Some(_) => return None,
        None => number.to_owned(),
    };
    let is_one = (2..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits + &text[number.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    /// A machine that has nothing, but a folder of programs.
    fn machine(programs: &Path) -> Machine {
        Machine {
            home: None,
            usual: "/no/such/toolkit".into(),
            path: programs.into(),
            capability: None,
            driver: Some("libno-such-driver.so.1"),
        }
    }

    /// Writes a program. A process of its own does, or another thread's new process might hold the file open, and it
    /// could not be run.
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
    fn all_that_is_missing_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            error(&machine(folder.path())),
            "CUDA cannot be used yet:\n\
             - there is no NVIDIA driver (libno-such-driver.so.1): install it, or build for another machine with \
             --without-driver\n\
             - there is no CUDA toolkit (nvcc is neither in /no/such/toolkit/bin nor on the PATH): install it from \
             https://developer.nvidia.com/cuda-downloads, or set CUDA_HOME to its folder\n\
             - the GPU's compute capability is unknown (nvidia-smi does not tell): set CUDA_COMPUTE_CAP to that of the \
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

    #[test]
    fn the_kernelspec_names_the_kernel_and_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let cuda = Cuda {
            toolkit: "/opt/cuda 13".into(),
            version: "13".into(),
            folders: Vec::new(),
            capability: "90a".into(),
        };
        crate::install::write_kernelspec(folder.path(), Path::new("taper"), Some(&cuda)).unwrap();
        let spec: Value =
            serde_json::from_slice(&fs::read(folder.path().join("kernel.json")).unwrap()).unwrap();
        assert_eq!(spec["display_name"], "Rust (taper, CUDA)");
        let arguments = ["kernel", "--connection-file", "{connection_file}", "--cuda"];
        assert_eq!(spec["argv"].as_array().unwrap()[1..], arguments);
        assert_eq!(spec["env"], json!({ "CUDA_HOME": "/opt/cuda 13", "CUDA_COMPUTE_CAP": "90a" }));
    }

    #[test]
    fn compute_capabilities_are_read_in_every_way_they_are_written() {
        let read = |text| parse_capability(text).unwrap_or_default();
        for (text, expected) in
            [("90", "90"), (" 9.0\n", "90"), ("90a", "90a"), ("12.1", "121"), ("100f", "100f")]
        {
            assert_eq!(read(text), expected);
        }
        for text in ["", "9", "sm_90", "9.00", "9.", "-1", "H100", "9000", "[N/A]"] {
            assert_eq!(read(text), "", "{text}");
        }
    }
}
