//! `cyber-gpu`: the process that computes ranks on a GPU for one node.
//!
//! The node starts it (`rank.device` in its `app.toml`) with a socket as standard input and a file
//! in memory as standard output, see `cyber_kernels::gpu::wire`; it ends with the node. With the
//! feature `cuda` it uses the first CUDA device. Without it, or to be tested, it runs the same
//! kernels on the host: `CYBER_GPU_SHIM` names what `cyber-gpu --build-shim FOLDER` made.

fn main() -> std::process::ExitCode {
    #[cfg(unix)]
    return unix::main();
    #[cfg(not(unix))]
    {
        eprintln!("cyber-gpu needs Unix sockets");
        std::process::ExitCode::FAILURE
    }
}

#[cfg(unix)]
mod unix {
    use cyber_kernels::gpu::{self, Client, Device, DeviceError, Program, Shared, Wanted};
    use std::error::Error;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    /// Names the shared library with the kernels for the host.
    const SHIM: &str = "CYBER_GPU_SHIM";
    const USAGE: &str = "\
cyber-gpu computes the ranks of a cyberd node on a GPU; the node starts it by itself.

    cyber-gpu --check                 starts the device and has it compute a test
    cyber-gpu --build-shim FOLDER     compiles the kernels for the host, prints the path

CYBER_GPU_SHIM=PATH runs the kernels for the host instead of a device.";

    pub fn main() -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = match words[..] {
            [] if stdin_is_a_socket() => serve(),
            ["--check"] => check(),
            ["--build-shim", folder] => build(Path::new(folder)),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("cyber-gpu: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn stdin_is_a_socket() -> bool {
        let file = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
        let kind = file.and_then(|file| file.metadata()).map(|data| data.file_type());
        kind.is_ok_and(|kind| kind.is_socket())
    }

    /// The node tells errors; here they are only the exit code.
    fn serve() -> Result<(), Box<dyn Error>> {
        let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let shared = Shared::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        gpu::serve(socket, &shared, device)
            .map_err(|_| "ended by an error that the node has".into())
    }

    fn device() -> Result<Device, DeviceError> {
        match std::env::var_os(SHIM).filter(|path| !path.is_empty()) {
            Some(path) => Device::host(&PathBuf::from(path)),
            None => Device::cuda(),
        }
    }

    /// Does with a worker what a node does with a new one.
    fn check() -> Result<(), Box<dyn Error>> {
        let program = Program::Command(std::env::current_exe()?);
        let go_on = AtomicBool::new(false);
        let wanted = Wanted::within(Duration::from_secs(120), &go_on);
        let mut client = Client::start(&program, wanted)?;
        gpu::self_test(&mut client, wanted)?;
        println!("{}: computes as the definition does", client.device());
        Ok(())
    }

    fn build(folder: &Path) -> Result<(), Box<dyn Error>> {
        std::fs::create_dir_all(folder)?;
        println!("{}", gpu::build_shim(&folder.canonicalize()?)?.display());
        Ok(())
    }
}
