//! Compiles `cuda/rank.cu` for the feature `cuda`; does nothing without it.
//!
//! `nvcc` is looked for in `NVCC`, in `PATH`, in `CUDA_PATH` and `/usr/local/cuda`, and in the
//! Python packages that have it (`nvidia/cu13/bin/nvcc` below a `site-packages`). If there is none,
//! the build ends with what to install.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled for; the last one also as PTX, for later devices.
const ARCHITECTURES: [&str; 5] = ["75", "80", "86", "89", "90"];

const ADVICE: &str = "\
feature `cuda`: no nvcc found to compile kernels/cuda/rank.cu.
Install the CUDA toolkit (13.0 or later), or only its compiler, as Python packages:

    python3 -m venv .cuda && .cuda/bin/pip install nvidia-cuda-nvcc==13.0.* \\
        nvidia-cuda-crt==13.0.* nvidia-nvvm==13.0.* nvidia-cuda-cccl==13.0.* \\
        nvidia-cuda-runtime==13.0.*

then name it: NVCC=$(find $PWD/.cuda -path '*/bin/nvcc').
The driver's libcuda is needed too, to link and to run: CUDA_LIBRARY_PATH names its folder.";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cuda/rank.cu");
    for variable in ["NVCC", "CUDA_PATH", "VIRTUAL_ENV"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let Some(nvcc) = find() else { fail(ADVICE) };
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut command = Command::new(&nvcc);
    command.args(["-fatbin", "-O3", "-std=c++17", "-o"]).arg(out.join("rank.fatbin"));
    for architecture in ARCHITECTURES {
        command.arg(format!("-gencode=arch=compute_{architecture},code=sm_{architecture}"));
    }
    let newest = ARCHITECTURES[ARCHITECTURES.len() - 1];
    command.arg(format!("-gencode=arch=compute_{newest},code=compute_{newest}"));
    match command.arg("cuda/rank.cu").output() {
        Ok(output) if output.status.success() => (),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            fail(&format!("{} failed:\n{said}", nvcc.display()))
        }
        Err(error) => fail(&format!("{}: {error}\n{ADVICE}", nvcc.display())),
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("NVCC").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("nvcc"));
    let toolkits = std::env::var_os("CUDA_PATH").map(PathBuf::from).into_iter();
    let toolkits = toolkits.chain([PathBuf::from("/usr/local/cuda")]);
    let in_toolkits = toolkits.map(|folder| folder.join("bin/nvcc"));
    let environments = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from).into_iter();
    let in_packages = environments.flat_map(|folder| packages(&folder));
    in_path.chain(in_toolkits).chain(in_packages).find(|nvcc| nvcc.is_file())
}

/// Where the Python packages of an environment would have it.
fn packages(environment: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let sites = versions.map(|version| version.path().join("site-packages/nvidia"));
    let places = ["cu13/bin/nvcc", "cuda_nvcc/bin/nvcc"];
    sites.flat_map(|site| places.map(|place| site.join(place))).collect()
}

fn fail(text: &str) -> ! {
    for line in text.lines() {
        println!("cargo:warning={line}");
    }
    panic!("{text}");
}
