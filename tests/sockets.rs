//! What other users of the machine can reach of a kernel: nothing.

use crate::support::{command_with_cache, run, runner};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use wire::Client;

#[tokio::test]
async fn sessions_are_their_owners_alone() {
    let cache = tempfile::tempdir().unwrap();
    let mut kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    run(&mut kernel, "1").await;
    let all = cache.path().join("sessions");
    let session = fs::read_dir(&all).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    for folder in [&all, &session] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    if cfg!(target_os = "linux") {
        let mut wanted: Vec<u16> = [
            kernel.connection.shell_port,
            kernel.connection.iopub_port,
            kernel.connection.stdin_port,
            kernel.connection.control_port,
            kernel.connection.hb_port,
        ]
        .to_vec();
        wanted.sort();
        assert_eq!(
            listening(kernel.process().id()),
            wanted.iter().map(|port| ("0100007F".into(), *port)).collect::<Vec<_>>()
        );
        assert_eq!(listening(runner(&mut kernel).await), []);
    }
    kernel.shut_down().await.unwrap();
    // A folder that others might read is closed to them; one of somebody else is not taken.
    fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).unwrap();
    let kernel = Client::start(&mut command_with_cache(cache.path())).await.unwrap();
    assert_eq!(fs::metadata(&all).unwrap().permissions().mode() & 0o777, 0o700);
    kernel.shut_down().await.unwrap();
}

/// The addresses, in hexadecimal, and ports where a process listens for TCP connections.
fn listening(process: u32) -> Vec<(String, u16)> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The state "listen", and the number of the socket.
            if fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9])) {
                let (address, port) = fields[1].split_once(':').unwrap();
                found.push((address.to_owned(), u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    found.sort_by_key(|(_, port)| *port);
    found
}
