//! `taper install`: builds the warm environment and registers the kernel.

use crate::build_bar::with_progress;
use crate::jupyter_folders::{Place, data, kernels, settings};
use crate::kernelspec::NAMES;
use crate::terminal::{say, warn_user};
use crate::{kernelspec, nbconvert};
use anyhow::Result;
use engine::shown_crates;
use environment::cache::environments;
use environment::{Cuda, Environment, Lab, Shared, Toolchain};
use std::env;
use std::process::ExitCode;

/// Register the kernel "Rust (taper)" with Jupyter and build its warm environment
///
/// With --prefix all of it goes below one folder, the program too, for all users of the machine to read.
/// With --cuda it is "Rust (taper, CUDA)", a kernel next to the other one, with an environment of its own.
/// The environment is the crate `lab` with candle, plotters, image and all they need, compiled once so that no
/// notebook has to. That takes some minutes; it can be stopped at any moment and goes on where it was.
/// The kernel is registered in JUPYTER_DATA_DIR or the first folder of JUPYTER_PATH, if they are set.
#[derive(clap::Args)]
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

impl Install {
    /// Registers the kernel and builds the warm environment. Prints where.
    pub fn run(&self) -> Result<ExitCode> {
        let Self { place, cuda, without_driver, burn, pages } = self;
        let (data, settings) = (data(place)?, settings(place)?);
        let shared = place.prefix.as_deref().map(Shared::at).transpose()?;
        let cuda = cuda.then(|| Cuda::find(!without_driver)).transpose()?;
        let toolchain = Toolchain::find()?;
        if let Some(obstacle) =
            shared.as_ref().map(|shared| shared.obstacle(&toolchain)).transpose()?.flatten()
        {
            warn_user!("{obstacle}");
        }
        if let Some(cuda) = &cuda {
            say!("Building with {}. candle's kernels alone take minutes.", cuda.describe())?;
        }
        let folder = match (&shared, Shared::own()) {
            (Some(shared), _) => Some(shared.environments()),
            (None, None) => Some(environments()?),
            // Of what there is for all users nobody needs another one.
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
        let folder = kernels(&data).join(NAMES[usize::from(cuda.is_some())]);
        let template = nbconvert::folder(&data);
        nbconvert::write_template(&template)?;
        if *pages {
            nbconvert::make_default(&settings)?;
        }
        match &shared {
            Some(shared) => {
                shared.write_program(&toolchain)?;
                kernelspec::write(&folder, &shared.program(), cuda.as_ref())?;
                shared.write_sources(shown_crates::shown_crates(&toolchain, &built)?)?;
                let written =
                    [folder.clone(), template].into_iter().chain(pages.then(|| nbconvert::file(&settings)));
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
                "nbconvert makes pages of Rust notebooks that need no network, by {}.",
                nbconvert::file(&settings).display()
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
