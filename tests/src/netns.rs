//! A local network of the test's own: network namespaces, one for each host, on one bridge.
//!
//! Made with `ip` and `tc`, which needs root; nothing of the machine's own network is touched, and all of it is
//! gone when the value is dropped. A cut is silent, as when a cable between two switches is pulled: the host's own
//! interface stays up.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The network that the hosts are in.
const NET: &str = "10.77.0";

/// Numbers the networks of one process.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A local network with hosts.
#[derive(Debug)]
pub struct Lan {
    name: String,
    hosts: usize,
}

impl Lan {
    /// A network with so many hosts.
    ///
    /// # Panics
    /// Where this machine cannot have one.
    pub fn new(hosts: usize) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let lan = Self {
            name: format!("twl{}x{number}", std::process::id()),
            hosts,
        };
        lan.make().expect(
            "network namespaces; `cargo xtask test` skips the tests that need them where they are missing",
        );
        lan
    }

    /// The namespace of a host.
    pub fn host(&self, host: usize) -> String {
        format!("{}h{host}", self.name)
    }

    /// The address of a host.
    pub fn address(&self, host: usize) -> String {
        format!("{NET}.{}", host + 1)
    }

    /// Nothing reaches a host any more, and nothing leaves it.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn cut(&self, host: usize) {
        let hub = self.hub();
        run(&["ip", "-n", &hub, "link", "set", &port(host), "nomaster"]).expect("a cut");
    }

    /// The end of a cut.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn reconnect(&self, host: usize) {
        let hub = self.hub();
        run(&["ip", "-n", &hub, "link", "set", &port(host), "master", "br0"]).expect("the end of a cut");
    }

    /// The line of a host carries so much and no more, either way: `50kbit`.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn slow(&self, host: usize, rate: &str) {
        for (space, device) in [(self.host(host), "eth0".to_owned()), (self.hub(), port(host))] {
            let tbf = ["root", "tbf", "rate", rate, "burst", "4kb", "latency", "400ms"];
            let add = [&["tc", "-n", &space, "qdisc", "add", "dev", &device], &tbf[..]].concat();
            run(&add).expect("a slow line");
        }
    }

    fn hub(&self) -> String {
        format!("{}hub", self.name)
    }

    fn make(&self) -> Result<(), String> {
        let hub = self.hub();
        run(&["ip", "netns", "add", &hub])?;
        let bridge = ["type", "bridge", "forward_delay", "0", "stp_state", "0"];
        run(&[&["ip", "-n", &hub, "link", "add", "br0"], &bridge[..]].concat())?;
        run(&["ip", "-n", &hub, "link", "set", "br0", "up"])?;
        for number in 0..self.hosts {
            let (host, port) = (self.host(number), port(number));
            run(&["ip", "netns", "add", &host])?;
            run(&[
                "ip", "-n", &hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns",
                &host,
            ])?;
            run(&["ip", "-n", &hub, "link", "set", &port, "master", "br0", "up"])?;
            let address = format!("{}/24", self.address(number));
            run(&["ip", "-n", &host, "address", "add", &address, "dev", "eth0"])?;
            for device in ["lo", "eth0"] {
                run(&["ip", "-n", &host, "link", "set", device, "up"])?;
            }
            run(&["ip", "-n", &host, "route", "add", "default", "dev", "eth0"])?;
        }
        Ok(())
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // What was never made cannot be removed, which is as good.
        for number in 0..self.hosts {
            let _ = run(&["ip", "netns", "delete", &self.host(number)]);
        }
        let _ = run(&["ip", "netns", "delete", &self.hub()]);
    }
}

fn port(host: usize) -> String {
    format!("p{host}")
}

fn run(command: &[&str]) -> Result<(), String> {
    let (program, args) = command.split_first().ok_or("no command")?;
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}`: {}", command.join(" "), said.trim()))
}
