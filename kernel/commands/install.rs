//! `taper install`: builds the warm environment and registers the kernel.

use crate::build_bar::with_progress;
use crate::jupyter_folders::{InstallScope, data, kernels, settings};
use crate::kernelspec::NAMES;
use crate::terminal::{say, warn_user};
use crate::{kernelspec, nbconvert};
use anyhow::Result;
use engine::crates;
use engine::shown_crates::{self, Crates};
use environment::cache::environments;
use environment::{Cuda, Environment, Lab, SharedInstall, Toolchain};
use std::env;
use std::process::ExitCode;

/// Register the kernel "Rust (taper)" with Jupyter and build its warm environment
///
/// With --prefix, everything including the program goes below one folder, which all users of the machine can read.
/// With --cuda, the kernel is "Rust (taper, CUDA)", which has an environment of its own and can be installed next to the
/// other one. The environment is the crate `lab` with candle, plotters, image and their dependencies, compiled once so that
/// no notebook has to compile them. That takes some minutes; it can be stopped at any time and later goes on from there.
/// The kernel is registered in JUPYTER_DATA_DIR or the first folder of JUPYTER_PATH, if they are set.
#[derive(clap::Args)]
pub struct Install {
    #[command(flatten)]
    scope: InstallScope,
    /// Install the kernel that computes on a GPU. Needs NVIDIA's driver and CUDA toolkit
    #[arg(long)]
    cuda: bool,
    /// Build for another machine, on one without the driver. Set CUDA_COMPUTE_CAP to the capability of its GPU
    #[arg(long, requires = "cuda")]
    without_driver: bool,
    /// Also build Burn. Otherwise the first cell that asks for it builds it
    #[arg(long)]
    burn: bool,
    /// Also build crates that notebooks ask for by `:dep`, written as there: --with 'polars = { version = "0.51", features =
    /// ["lazy"] }'. Can be given several times. Otherwise the first cell that asks for them builds them
    #[arg(long, value_name = "DEPENDENCY")]
    with: Vec<String>,
    /// Make `jupyter nbconvert --to html` and JupyterLab's menu write pages of Rust notebooks that need no network. Sets
    /// `template_name` in Jupyter's settings; pages of notebooks in other languages stay the same
    #[arg(long)]
    pages: bool,
}

impl Install {
    /// Builds the warm environment and registers the kernel. Prints where it is registered.
    pub fn run(&self) -> Result<ExitCode> {
        let Self { scope, cuda, without_driver, burn, with, pages } = self;
        let (data, settings) = (data(scope)?, settings(scope)?);
        let shared = scope.prefix.as_deref().map(SharedInstall::at).transpose()?;
        let cuda = cuda.then(|| Cuda::find(!without_driver)).transpose()?;
        let toolchain = Toolchain::find()?;
        let sysroot = toolchain.sysroot()?;
        if let Some(obstacle) = shared.as_ref().and_then(|shared| shared.obstacle(&sysroot)) {
            warn_user!("{obstacle}");
        }
        if let Some(cuda) = &cuda {
            say!("Building with {}. candle's kernels alone take minutes.", cuda.describe())?;
        }
        let folder = match (&shared, SharedInstall::current()) {
            (Some(shared), _) => Some(shared.environments()),
            (None, None) => Some(environments()?),
            // The environment of the shared install is used if it fits.
            (None, Some(_)) => None,
        };
        let build = |lab: &Lab, what: &str| {
            with_progress(&toolchain, cuda.as_ref(), what, |orders| match &folder {
                Some(folder) => Environment::repair(folder, lab, orders),
                None => Environment::build(lab, orders),
            })
        };
        let built = build(&Lab::embedded(), "")?;
        if *burn {
            build(&Lab::embedded().with(["burn".to_owned()].into()), " + burn")?;
        }
        let mut sets = vec![Crates::of(&built)];
        for set in [crates::TOKIO].into_iter().chain(with.iter().map(String::as_str)) {
            let (wanted, lab) = (crates::table(set)?, Lab::embedded());
            let what = format!(" + {}", wanted.keys().cloned().collect::<Vec<_>>().join(" + "));
            let set = with_progress(&toolchain, cuda.as_ref(), &what, |orders| match &folder {
                Some(folder) => built.build_with(folder, &lab, &wanted, orders),
                None => built.with(&lab, &wanted, orders),
            })?;
            sets.push(Crates::of(&set));
        }
        let folder = kernels(&data).join(NAMES[usize::from(cuda.is_some())]);
        let template = nbconvert::template_folder(&data);
        nbconvert::write_template(&template)?;
        if *pages {
            nbconvert::make_default(&settings)?;
        }
        match &shared {
            Some(shared) => {
                shared.write_program(&sysroot)?;
                kernelspec::write(&folder, &shared.program(), cuda.as_ref())?;
                shared.write_sources(shown_crates::for_all_users(&toolchain, &sets)?)?;
                let written = [folder.clone(), template]
                    .into_iter()
                    .chain(pages.then(|| nbconvert::settings_file(&settings)));
                shared.open_to_all(&written.collect::<Vec<_>>())?;
            }
            None => kernelspec::write(&folder, &env::current_exe()?, cuda.as_ref())?,
        }
        say!(
            "Jupyter now has the kernel \"{}\", registered in {}.",
            kernelspec::display_name(cuda.as_ref()),
            folder.display()
        )?;
        if *pages {
            say!(
                "nbconvert now writes pages of Rust notebooks that need no network, because of {}.",
                nbconvert::settings_file(&settings).display()
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
