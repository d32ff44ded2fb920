//! Downloads from mirrors.

use super::Error;
use super::proxy::Proxies;
use crate::interrupt;
use std::io::{self, Read, Write};
use std::time::Duration;

/// Reads a file as it arrives. An error means that it is not intact.
type Receive = dyn Fn(&mut dyn Read) -> Result<Vec<u8>, Error> + Send;

/// The file `name` from the first URL that delivers it intact.
pub fn download(
    name: &'static str,
    urls: &[String],
    receive: impl Fn(&mut dyn Read) -> Result<Vec<u8>, Error> + Send + 'static,
) -> Result<Vec<u8>, Error> {
    let urls = urls.to_vec();
    // A mirror that does not answer must not keep the user from interrupting the cell.
    interrupt::leave_when_interrupted(move || from_mirrors(name, &urls, &receive))?
}

fn from_mirrors(name: &'static str, urls: &[String], receive: &Receive) -> Result<Vec<u8>, Error> {
    let seconds = |n| Some(Duration::from_secs(n));
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_resolve(seconds(10))
        .timeout_connect(seconds(10))
        .timeout_recv_response(seconds(20))
        .timeout_recv_body(seconds(600))
        .build();
    let agent = Proxies::from_env().agent(config);
    let mut reasons = Vec::new();
    for url in urls {
        match fetch(&agent, url, name, receive) {
            Ok(bytes) => return Ok(bytes),
            Err(reason) => reasons.push(format!("{url}: {reason}")),
        }
    }
    Err(Error::Download { file: name.into(), reasons: reasons.join("; ") })
}

fn fetch(agent: &ureq::Agent, url: &str, name: &'static str, receive: &Receive) -> crate::Result<Vec<u8>> {
    let body = agent.get(url).call()?.into_body();
    let (total, input) = (body.content_length(), body.into_reader());
    let input = interrupt::Reader::new(input);
    Ok(receive(&mut Progress { input, name, total, done: 0, shown: 0 })?)
}

/// Prints how much has arrived, on a line that it overwrites.
struct Progress<R> {
    input: interrupt::Reader<R>,
    name: &'static str,
    total: Option<u64>,
    done: u64,
    shown: u64,
}

/// How many bytes arrive between two updates of the line.
const STEP: u64 = 500_000;

impl<R: Read> Read for Progress<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.done += read as u64;
        if self.done >= self.shown + STEP {
            self.show();
        }
        Ok(read)
    }
}

impl<R> Progress<R> {
    fn show(&mut self) {
        self.shown = self.done;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let total = self.total.map(|total| format!(" of {:.2}", megabytes(total))).unwrap_or_default();
        print!("\rdownloading {}: {:.2}{total} MB", self.name, megabytes(self.done));
        // When this fails nobody reads any more; the download goes on.
        let _ = io::stdout().flush();
    }
}

/// Ends the line, whether the download is complete or not, as long as somebody waits for it.
impl<R> Drop for Progress<R> {
    fn drop(&mut self) {
        if !self.input.is_over() {
            self.show();
            println!();
        }
    }
}
