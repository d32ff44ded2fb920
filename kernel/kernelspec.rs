//! Writes the kernelspec, by which Jupyter finds the kernel.

use crate::jupyter_folders::{all_data, kernels};
use anyhow::{Context, Result};
use environment::{Cuda, files};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The names of the kernels: the one for the CPU, and the one for CUDA.
pub const NAMES: [&str; 2] = ["taper", "taper-cuda"];
const LOGO_SVG: &str = include_str!("../assets/logo.svg");
const LOGOS: [(&str, &[u8]); 2] = [
    ("logo-32x32.png", include_bytes!("../assets/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("../assets/logo-64x64.png")),
];

/// The path of the kernelspec that Jupyter finds first, if there is one.
pub fn registered() -> Option<PathBuf> {
    let folders = all_data().into_iter();
    folders.map(|folder| kernels(&folder).join(NAMES[0]).join("kernel.json")).find(|file| file.exists())
}

/// The name of the kernel in Jupyter's menus.
pub fn display_name(cuda: Option<&Cuda>) -> &'static str {
    if cuda.is_some() { "Rust (taper, CUDA)" } else { "Rust (taper)" }
}

/// Writes the kernelspec that starts a program into a folder.
pub fn write(folder: &Path, program: &Path, cuda: Option<&Cuda>) -> Result<()> {
    let variables = cuda.map(Cuda::variables);
    let kernelspec = kernelspec(program, display_name(cuda), variables.as_ref().map(<[_; 2]>::as_slice))?;
    files::write(&folder.join("kernel.json"), format!("{kernelspec:#}\n"))?;
    files::write(&folder.join("logo-svg.svg"), LOGO_SVG)?;
    LOGOS.iter().try_for_each(|(name, image)| files::write(&folder.join(name), image))
}

/// The content of the kernelspec. For CUDA, it sets the variables by which the kernel finds the toolkit.
fn kernelspec(program: &Path, name: &str, cuda: Option<&[(&str, OsString)]>) -> Result<Value> {
    let mut kernelspec = json!({
        "argv": [program, "kernel", "--connection-file", "{connection_file}"],
        "display_name": name,
        "language": "rust",
        "interrupt_mode": "message",
        "metadata": { "debugger": false },
    });
    if let Some(variables) = cuda {
        kernelspec["argv"].as_array_mut().context("argv is not a list")?.push("--cuda".into());
        for (name, value) in variables {
            kernelspec["env"][name] = value.to_string_lossy().into();
        }
    }
    Ok(kernelspec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernelspec_names_the_kernel_and_what_it_needs() {
        let variables = [("CUDA_HOME", "/opt/cuda 13".into()), ("CUDA_COMPUTE_CAP", "90a".into())];
        let spec = kernelspec(Path::new("/bin/taper"), "Rust (taper, CUDA)", Some(&variables)).unwrap();
        assert_eq!(spec["display_name"], "Rust (taper, CUDA)");
        let arguments = json!(["/bin/taper", "kernel", "--connection-file", "{connection_file}", "--cuda"]);
        assert_eq!(spec["argv"], arguments);
        assert_eq!(spec["env"], json!({ "CUDA_HOME": "/opt/cuda 13", "CUDA_COMPUTE_CAP": "90a" }));
        let plain = kernelspec(Path::new("/bin/taper"), "Rust (taper)", None).unwrap();
        assert_eq!(plain["argv"].as_array().unwrap()[..], arguments.as_array().unwrap()[..4]);
        assert_eq!(plain["env"], Value::Null);
    }
}
