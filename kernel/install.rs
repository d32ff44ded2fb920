//! The kernelspec, by which Jupyter finds the kernel, in and out; and the warm environment with it.

use crate::analysis;
use crate::cuda::Cuda;
use crate::lab::Lab;
use crate::nbconvert;
use crate::shared::Shared;
use crate::toolchain::Toolchain;
use crate::warm::{self, ENVIRONMENTS, Environment};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

/// The kernels by name: that on the CPU, and that on CUDA.
const NAMES: [&str; 2] = ["taper", "taper-cuda"];
const LOGO_SVG: &str = include_str!("../assets/logo.svg");
const LOGOS: [(&str, &[u8]); 2] = [
    ("logo-32x32.png", include_bytes!("../assets/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("../assets/logo-64x64.png")),
];

/// The kernelspec that Jupyter finds first, if there is one.
pub fn registered() -> Option<PathBuf> {
    let path = env::var_os("JUPYTER_PATH").unwrap_or_default();
    let users = [user_data().ok(), sys_prefix().ok().map(|prefix| prefix.join("share/jupyter"))];
    let all = ["/usr/local/share/jupyter", "/usr/share/jupyter"].map(PathBuf::from);
    let folders = env::split_paths(&path).chain(users.into_iter().flatten()).chain(all);
    folders.map(|folder| kernels(&folder).join(NAMES[0]).join("kernel.json")).find(|file| file.exists())
}

/// Where the kernelspec goes.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(multiple = false)]
pub struct Place {
    /// Install for all users: program, kernel and environment below this folder, such as /usr/local
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Install into the Python environment that is active
    #[arg(long)]
    sys_prefix: bool,
    /// Install for this user (the default)
    #[arg(long)]
    user: bool,
}

/// What to install.
#[derive(Clone, Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    place: Place,
    /// Install the kernel that computes on a GPU, next to the other one. Needs NVIDIA's driver and CUDA toolkit
    #[arg(long)]
    cuda: bool,
    /// Build on a machine without the driver, for another one; CUDA_COMPUTE_CAP says for which GPU
    #[arg(long, requires = "cuda")]
    without_driver: bool,
    /// Build Burn too, which else the first cell builds that asks for it
    #[arg(long)]
    burn: bool,
    /// Have `jupyter nbconvert --to html` and JupyterLab's menu make pages of Rust notebooks that need no network. Sets
    /// `template_name` in Jupyter's settings; those of other languages stay as they are
    #[arg(long)]
    pages: bool,
}

/// Registers the kernel and builds the warm environment. Prints where.
pub fn install(Install { place, cuda, without_driver, burn, pages }: &Install) -> Result<()> {
    let (data, settings) = (data(place)?, settings(place)?);
    let shared = place.prefix.as_deref().map(Shared::at).transpose()?;
    let cuda = cuda.then(|| Cuda::find(!without_driver)).transpose()?;
    let toolchain = Toolchain::find()?;
    if let Some(obstacle) = shared.as_ref().map(|shared| shared.obstacle(&toolchain)).transpose()?.flatten() {
        eprintln!("{obstacle}");
    }
    if let Some(cuda) = &cuda {
        println!("Building with {}. candle's kernels alone take minutes.", cuda.describe());
    }
    let folder = match (&shared, Shared::own()) {
        (Some(shared), _) => Some(shared.environments()),
        (None, None) => Some(warm::cache()?.join(ENVIRONMENTS)),
        // Of what there is for all users nobody needs another one.
        (None, Some(_)) => None,
    };
    let build = |lab: &Lab| {
        with_progress(&toolchain, lab, |report| match &folder {
            Some(folder) => Environment::repair(folder, &toolchain, cuda.as_ref(), lab, report),
            None => Environment::build(&toolchain, cuda.as_ref(), lab, report),
        })
    };
    let environment = build(&Lab::embedded())?;
    if *burn {
        build(&Lab::embedded().with(["burn".to_owned()].into()))?;
    }
    let folder = kernels(&data).join(NAMES[usize::from(cuda.is_some())]);
    let template = nbconvert::folder(&data);
    nbconvert::write_template(&template)?;
    if *pages {
        nbconvert::make_default(&settings)?;
    }
    match &shared {
        Some(shared) => {
            shared.write_program(&toolchain)?;
            write_kernelspec(&folder, &shared.program(), cuda.as_ref())?;
            shared.write_sources(&mut analysis::shown_crates(&toolchain, &environment)?)?;
            let written =
                [folder.clone(), template].into_iter().chain(pages.then(|| nbconvert::file(&settings)));
            shared.open_to_all(&written.collect::<Vec<_>>())?;
        }
        None => write_kernelspec(&folder, &env::current_exe()?, cuda.as_ref())?,
    }
    println!(
        "Jupyter now has the kernel \"{}\", registered in {}.",
        display_name(cuda.as_ref()),
        folder.display()
    );
    if *pages {
        println!(
            "nbconvert makes pages of Rust notebooks that need no network, by {}.",
            nbconvert::file(&settings).display()
        );
    }
    Ok(())
}

/// Removes the kernelspecs and everything that was built for them. Digits that were downloaded stay, and so do the folders
/// of kernels that are running.
pub fn uninstall(place: &Place) -> Result<()> {
    let data = data(place)?;
    for name in NAMES {
        remove("kernel", &kernels(&data).join(name))?;
    }
    nbconvert::take_back_default(&settings(place)?)?;
    remove("template of nbconvert", &nbconvert::folder(&data))?;
    if let Some(prefix) = &place.prefix {
        let shared = Shared::at(prefix)?;
        if shared.folder().exists() {
            remove("program", &shared.program())?;
        }
        return remove("warm environment", &shared.folder());
    }
    let cache = warm::cache()?;
    remove("warm environment", &cache.join(ENVIRONMENTS))?;
    remove("registration for `taper lab`", &cache.join("jupyter"))?;
    for entry in fs::read_dir(&cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("python-") {
            remove("Jupyter of taper's own", &entry.path())?;
        }
    }
    Ok(())
}

fn remove(what: &str, path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => println!("Removed the {what} in {}.", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("There is no {what} in {}.", path.display());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
    Ok(())
}

/// Builds the warm environment of a `lab`, unless it is there.
pub fn build_environment(cuda: Option<&Cuda>, lab: &Lab) -> Result<()> {
    let toolchain = Toolchain::find()?;
    with_progress(&toolchain, lab, |report| Environment::build(&toolchain, cuda, lab, report)).map(drop)
}

/// Builds the warm environment with a progress bar.
fn with_progress(
    toolchain: &Toolchain,
    lab: &Lab,
    build: impl FnOnce(warm::Report) -> Result<Environment>,
) -> Result<Environment> {
    add_rust_sources(toolchain);
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{spinner} building the warm environment{msg} {wide_bar} {pos}/{len} crates, {elapsed}",
    )?);
    let features: String = lab.features.iter().map(|feature| format!(" + {feature}")).collect();
    bar.set_message(features);
    let mut report = |done: usize, total: usize| {
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let built = build(&mut report);
    bar.finish_and_clear();
    built
}

/// Completion reads the sources of std. Without them all else works.
fn add_rust_sources(toolchain: &Toolchain) {
    let sources = toolchain.sysroot().map(|sysroot| sysroot.join("lib/rustlib/src/rust/library"));
    if sources.is_ok_and(|sources| !sources.exists()) {
        let added = Command::new("rustup").args(["--quiet", "component", "add", "rust-src"]).status();
        if !added.is_ok_and(|status| status.success()) {
            eprintln!("Completion will not know std: `rustup component add rust-src` did not work.");
        }
    }
}

fn display_name(cuda: Option<&Cuda>) -> &'static str {
    if cuda.is_some() { "Rust (taper, CUDA)" } else { "Rust (taper)" }
}

/// Writes the kernelspec of a program into a folder of its own.
pub fn write_kernelspec(folder: &Path, program: &Path, cuda: Option<&Cuda>) -> Result<()> {
    let mut kernelspec = json!({
        "argv": [program, "kernel", "--connection-file", "{connection_file}"],
        "display_name": display_name(cuda),
        "language": "rust",
        "interrupt_mode": "message",
        "metadata": { "debugger": false },
    });
    if let Some(cuda) = cuda {
        kernelspec["argv"].as_array_mut().context("argv is a list")?.push("--cuda".into());
        for (name, value) in cuda.variables() {
            kernelspec["env"][name] = value.to_string_lossy().into();
        }
    }
    warm::write(&folder.join("kernel.json"), &format!("{kernelspec:#}\n"))?;
    warm::write(&folder.join("logo-svg.svg"), LOGO_SVG)?;
    for (name, image) in LOGOS {
        fs::write(folder.join(name), image).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// The folder that Jupyter looks for data in, <https://docs.jupyter.org/en/latest/use/jupyter-directories.html>.
fn data(place: &Place) -> Result<PathBuf> {
    match place {
        Place { prefix: Some(prefix), .. } => Ok(Shared::at(prefix)?.data()),
        Place { sys_prefix: true, .. } => Ok(sys_prefix()?.join("share/jupyter")),
        _ => user_data(),
    }
}

fn kernels(data: &Path) -> PathBuf {
    data.join("kernels")
}

/// The folder that Jupyter looks for settings in.
fn settings(place: &Place) -> Result<PathBuf> {
    match place {
        Place { prefix: Some(prefix), .. } => Ok(Shared::at(prefix)?.settings()),
        Place { sys_prefix: true, .. } => Ok(sys_prefix()?.join("etc/jupyter")),
        _ => {
            let folder = env::var_os("JUPYTER_CONFIG_DIR").map(PathBuf::from);
            let folder = folder.or_else(|| dirs::home_dir().map(|home| home.join(".jupyter")));
            folder.context("there is no home folder for Jupyter's settings: set JUPYTER_CONFIG_DIR")
        }
    }
}

fn sys_prefix() -> Result<PathBuf> {
    if let Some(active) = env::var_os("VIRTUAL_ENV").or_else(|| env::var_os("CONDA_PREFIX")) {
        return Ok(active.into());
    }
    let output = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let output = output.context("--sys-prefix asks Python where it is, and there is no python3")?;
    if !output.status.success() {
        bail!("--sys-prefix asks Python where it is, and python3 does not work");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

fn user_data() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("JUPYTER_DATA_DIR") {
        return Ok(folder.into());
    }
    // A folder that the user has put first on the search path is the one to be found in.
    if let Some(path) = env::var_os("JUPYTER_PATH")
        && let Some(first) = env::split_paths(&path).next().filter(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    let folder = match cfg!(target_os = "macos") {
        true => dirs::home_dir().map(|home| home.join("Library/Jupyter")),
        false => dirs::data_dir().map(|data| data.join("jupyter")),
    };
    folder.context("there is no data folder for this user: set JUPYTER_DATA_DIR")
}
