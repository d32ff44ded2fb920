//! The kernel for GPUs on a machine without one: what is checked beforehand and reported as missing and, with
//! `TAPER_CUDA_TESTS`, a build by NVIDIA's compiler that runs on a driver of our own, which finds no GPU.

use crate::python::say;
use crate::support::{kernel_command, root, run, taper};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use wire::Client;

/// Runs a command to its end; returns what it wrote.
fn step(command: &mut Command) -> String {
    let (good, text) = outcome(command);
    assert!(good, "{command:?} failed: {text}");
    text
}

fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Compiles C code to a shared library.
fn library(path: &Path, code: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let source = path.with_extension("c");
    fs::write(&source, code).unwrap();
    step(
        Command::new("cc").args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"]).arg(path).arg(source),
    );
}

/// Writes an executable script. A separate process writes it: were it this one, a process that another thread starts could
/// inherit the open file, and the script could not be executed.
fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
    step(Command::new("sh").args(["-c", write]).arg(path).arg(script));
}

/// taper on a machine that has a driver, and of the rest of CUDA only what `variables` name.
fn on_machine(folder: &Path, variables: &[(&str, &Path)]) -> Command {
    let driver = folder.join("driver/libcuda.so.1");
    if !driver.exists() {
        library(&driver, "");
    }
    let mut command = taper();
    for name in ["CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP"] {
        command.env_remove(name);
    }
    command.env("LD_LIBRARY_PATH", folder.join("driver")).env("PATH", folder.join("programs"));
    command.env("TAPER_CACHE", folder.join("cache")).envs(variables.iter().copied());
    command
}

#[test]
fn what_is_missing_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (whole, part, broken) = (folder.join("whole"), folder.join("part"), folder.join("broken"));
    for toolkit in [&whole, &part] {
        program(&toolkit.join("bin/nvcc"), "printf 'compute_75\\ncompute_90\\nrelease 13.0\\n'");
        fs::create_dir(toolkit.join("lib")).unwrap();
        fs::write(toolkit.join("lib/libcudart.so"), "").unwrap();
    }
    for name in ["cuda", "cublas", "cublasLt", "curand", "nvrtc"] {
        fs::write(whole.join(format!("lib/lib{name}.so")), "").unwrap();
    }
    program(&broken.join("bin/nvcc"), "exit 3");

    let nowhere = folder.join("nowhere");
    let number = Path::new("90");
    let cases: [(&[(&str, &Path)], String); 7] = [
        (
            &[("CUDA_HOME", &nowhere), ("CUDA_COMPUTE_CAP", number)],
            format!(
                "CUDA_HOME is {}, where there is no bin/nvcc: set it to the folder of the CUDA toolkit",
                nowhere.display()
            ),
        ),
        (
            &[("CUDA_PATH", &nowhere), ("CUDA_COMPUTE_CAP", number)],
            format!(
                "CUDA_PATH is {}, where there is no bin/nvcc: set it to the folder of the CUDA toolkit",
                nowhere.display()
            ),
        ),
        (
            &[("CUDA_HOME", &broken), ("CUDA_COMPUTE_CAP", number)],
            format!("{}/bin/nvcc does not work (exit status: 3): install the CUDA toolkit again", broken.display()),
        ),
        (
            &[("CUDA_HOME", &part), ("CUDA_COMPUTE_CAP", number)],
            format!(
                "the CUDA toolkit in {} has no libcuda.so, libcublas.so, libcublasLt.so, libcurand.so, libnvrtc.so: \
                 install the complete toolkit, with its development files",
                part.display()
            ),
        ),
        (
            &[("CUDA_HOME", &whole)],
            "the GPU's compute capability is unknown (nvidia-smi does not report it): set CUDA_COMPUTE_CAP to that of the \
             GPU, such as 90 for 9.0"
                .into(),
        ),
        (
            &[("CUDA_HOME", &whole), ("CUDA_COMPUTE_CAP", Path::new("H100"))],
            "CUDA_COMPUTE_CAP is `H100`: set CUDA_COMPUTE_CAP to that of the GPU, such as 90 for 9.0".into(),
        ),
        (
            &[("CUDA_HOME", &whole), ("CUDA_COMPUTE_CAP", Path::new("5.2"))],
            format!(
                "nvcc in {} does not compile for compute capability 52, only for 75, 90: install a toolkit that does, \
                 or correct CUDA_COMPUTE_CAP",
                whole.display()
            ),
        ),
    ];
    let (prefix, cache) = (folder.join("prefix"), folder.join("cache"));
    for (variables, line) in cases {
        let mut command = on_machine(&folder, variables);
        let (good, text) = outcome(command.args(["install", "--cuda", "--prefix"]).arg(&prefix));
        assert!(!good);
        assert_eq!(text, format!("taper: CUDA cannot be used yet:\n- {line}\n"));
        assert!(!prefix.exists() && !cache.exists(), "something was written");
    }
    // Without CUDA_COMPUTE_CAP, what nvidia-smi says counts.
    program(&folder.join("programs/nvidia-smi"), "echo 5.2");
    let mut command = on_machine(&folder, &[("CUDA_HOME", &whole)]);
    let (good, text) = outcome(command.args(["install", "--cuda", "--prefix"]).arg(&prefix));
    assert!(!good && text.contains("does not compile for compute capability 52"), "{text}");
}

#[test]
fn a_build_without_the_driver_is_one_for_cuda() {
    let (good, text) = outcome(taper().args(["install", "--without-driver"]));
    assert!(!good && text.contains("--cuda"), "{text}");
}

#[tokio::test]
async fn a_kernel_whose_toolkit_is_gone_says_so_in_its_cells() {
    let command = kernel_command();
    // The connection file comes last.
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut kernel = taper();
    kernel.arg(&arguments[0]).arg("--cuda").args(&arguments[1..]).env("CUDA_HOME", "/no/such/toolkit");
    kernel.env("CUDA_COMPUTE_CAP", "90");
    let mut kernel = Client::start(&mut kernel).await.unwrap();
    let messages = run(&mut kernel, "1 + 1").await;
    let error = &messages[2];
    assert!(error.starts_with("error KernelError: CUDA cannot be used yet:\n"), "{error}");
    assert!(error.contains("CUDA_HOME is /no/such/toolkit, where there is no bin/nvcc"), "{error}");
    kernel.shut_down().await.unwrap();
}

/// NVIDIA's compiler and libraries as its own installer puts them, from packages for Python, which lack the names that
/// linkers look for, and the driver's stub.
fn real_toolkit(folder: &Path) -> PathBuf {
    let python = folder.join("python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    step(Command::new("python3").args(["-m", "venv"]).arg(&python));
    step(Command::new(python.join("bin/python")).args(pip).arg(root().join("tests/cuda-requirements.txt")));
    let found = "import nvidia; print(list(nvidia.__path__)[0])";
    let packages = step(Command::new(python.join("bin/python")).args(["-c", found]));
    let toolkit = Path::new(packages.trim()).join("cu13");
    for entry in fs::read_dir(toolkit.join("lib")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some((stem, _)) = name.split_once(".so.") {
            std::os::unix::fs::symlink(&name, toolkit.join(format!("lib/{stem}.so"))).unwrap();
        }
    }
    library(&toolkit.join("lib/stubs/libcuda.so"), &driver_without_gpu(&toolkit.join("include/cuda.h")));
    toolkit
}

/// A driver that finds no GPU, with all functions that the header of the real one names.
fn driver_without_gpu(header: &Path) -> String {
    let header = fs::read_to_string(header).unwrap();
    let words = header.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let is_function =
        |word: &&str| word.strip_prefix("cu").is_some_and(|name| name.starts_with(char::is_uppercase));
    let functions: BTreeSet<&str> = words.filter(is_function).collect();
    assert!(functions.contains("cuInit") && functions.len() > 100, "{functions:?}");
    let mut code = String::from(
        "int cuGetErrorString(int error, const char **text) { *text = \"no CUDA-capable device is detected\"; return 0; }\n",
    );
    for name in functions.iter().filter(|name| **name != "cuGetErrorString") {
        code += &format!("int {name}(void) {{ return 100; }}\n");
    }
    code
}

/// The whole way except for a GPU: NVIDIA's compiler, candle's kernels, the environment, the kernel, its cells, and the
/// example. It downloads 600 MB and compiles for half an hour.
#[needs::time_for_cuda]
#[tokio::test]
async fn the_kernel_for_gpus_builds_links_and_computes_on_the_cpu_where_there_is_none() {
    let start = Instant::now();
    let done = |what: &str| say(&format!("{:4.0} s: {what}", start.elapsed().as_secs_f64()));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let toolkit = real_toolkit(&folder);
    done("the toolkit is there");

    let (data, cache) = (folder.join("jupyter"), folder.join("cache"));
    let mut install = taper();
    install.args(["install", "--cuda", "--without-driver"]).env("JUPYTER_DATA_DIR", &data);
    install.env("CUDA_HOME", &toolkit).env("CUDA_COMPUTE_CAP", "90").env("TAPER_CACHE", &cache);
    let text = step(&mut install);
    assert!(text.contains("Jupyter now has the kernel \"Rust (taper, CUDA)\""), "{text}");
    done("taper install --cuda");
    assert!(!data.join("kernels/taper").exists(), "only one kernel was asked for");
    let spec = fs::read(data.join("kernels/taper-cuda/kernel.json")).unwrap();
    let spec: Value = serde_json::from_slice(&spec).unwrap();
    assert_eq!(spec["display_name"], "Rust (taper, CUDA)");
    assert_eq!((&spec["argv"][3], &spec["argv"][4]), (&"{connection_file}".into(), &"--cuda".into()));
    assert_eq!(spec["env"]["CUDA_HOME"], toolkit.to_str().unwrap());

    let built =
        step(Command::new("find").arg(cache.join("environments")).args(["-path", "*/labs/*/liblab.so"]));
    let lab = Path::new(built.trim());
    let dynamic = step(Command::new("readelf").arg("-d").arg(lab));
    assert!(
        !dynamic.contains("BIND_NOW"),
        "what the toolkit lacks would keep it from being loaded: {dynamic}"
    );
    for needed in ["libcuda.so.1", "libcublas.so.13", "libcurand.so.10"] {
        assert!(dynamic.contains(&format!("Shared library: [{needed}]")), "{needed}: {dynamic}");
    }
    let binary = fs::read(lab).unwrap();
    let holds = |text: &str| memchr::memmem::find(&binary, text.as_bytes()).is_some();
    assert!(holds(".target sm_90a") && holds(".visible .entry affine_f32("), "no kernels for the GPU");

    // A kernel as Jupyter starts it.
    let driver = folder.join("driver");
    fs::create_dir(&driver).unwrap();
    fs::copy(toolkit.join("lib/stubs/libcuda.so"), driver.join("libcuda.so.1")).unwrap();
    let mut command = Command::new(spec["argv"][0].as_str().unwrap());
    command.args(["kernel", "--cuda", "--connection-file"]).current_dir(root().join("notebooks"));
    command
        .envs(spec["env"].as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())));
    command.env("TAPER_CACHE", &cache).env("LD_LIBRARY_PATH", &driver);
    let mut kernel = Client::start(&mut command).await.unwrap();
    let cell = ":dep lab = { path = \"lab\" }\nlet device = lab::device::best();\nlab::device::name(&device)[..3].to_owned()";
    let messages = run(&mut kernel, cell).await;
    let line = "stdout: No GPU that can be used, so this is the CPU: \
                DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")\n";
    assert_eq!(messages[2..], [line, "result 1: \"CPU\"", "idle"]);
    let cell = "(lab::candle_core::Tensor::new(&[1f32, 2.], &device)? * 3.)?.to_vec1::<f32>()?";
    assert_eq!(run(&mut kernel, cell).await[2], "result 2: [3.0, 6.0]");
    kernel.shut_down().await.unwrap();
    done("a cell");

    let target = folder.join("target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--release", "-p", "lab", "--example", "train", "--features", "lab/cuda"])
        .current_dir(root());
    let programs = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    cargo.env("PATH", std::env::join_paths([toolkit.join("bin")].into_iter().chain(programs)).unwrap());
    cargo.env("CARGO_TARGET_DIR", &target).env("CUDA_HOME", &toolkit).env("CUDA_COMPUTE_CAP", "90");
    step(&mut cargo);
    done("the example");
    let mut example = Command::new(target.join("release/examples/train"));
    let paths = std::env::join_paths([driver, toolkit.join("lib")]).unwrap();
    let text = step(example.arg("0").env("LD_LIBRARY_PATH", paths).env("TAPER_OFFLINE", "1"));
    assert!(text.starts_with(&line["stdout: ".len()..]) && text.contains(", fused, on CPU ("), "{text}");
}
