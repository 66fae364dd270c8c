//! Who is refused is so by the kernel too, where we are allowed to tell it (`--kernel-shed`): a packet that
//! nobody answers costs less than a connection that is closed.
//!
//! One table of our own in nftables, for the public port only, with sets whose elements time out by
//! themselves: should we die, nobody stays refused for longer than a quarter of an hour. The table is made
//! anew at each start, and taken away at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::config::Config;

/// Elements in one command.
const AT_ONCE: usize = 1_000;

/// The kernel's part.
#[derive(Debug)]
pub struct Kernel {
    table: String,
    told: BTreeMap<IpAddr, u64>,
}

/// Why the kernel cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// There is no such program, or it cannot be started.
    #[error(
        "--kernel-shed needs the program nft (Debian: apt install nftables), which cannot be started: {0}"
    )]
    NoProgram(#[from] io::Error),
    /// It refused.
    #[error(
        "--kernel-shed: nft may not change the firewall ({0}); give the node CAP_NET_ADMIN, or leave the \
         option out: sources are then refused by the node alone"
    )]
    Refused(String),
}

impl Kernel {
    /// The kernel's part, where the configuration wants it.
    ///
    /// # Errors
    /// There is no `nft`, or it is not allowed.
    pub fn wanted(config: &Config) -> Result<Option<Self>, KernelError> {
        config.kernel_shed.then(|| Self::open(&[config.listen.port()])).transpose()
    }

    /// Makes the table, for connections to these ports.
    ///
    /// # Errors
    /// There is no `nft`, or it is not allowed.
    fn open(ports: &[u16]) -> Result<Self, KernelError> {
        let first = ports.first().copied().unwrap_or_default();
        let kernel = Self { table: format!("tribune_{first}"), told: BTreeMap::new() };
        run(&kernel.beginning(ports))?;
        Ok(kernel)
    }

    /// The whole table, in place of any of an earlier run.
    fn beginning(&self, ports: &[u16]) -> String {
        let table = &self.table;
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(", ");
        format!(
            "table inet {table} {{}}
delete table inet {table}
table inet {table} {{
  set refused4 {{ type ipv4_addr; flags timeout; }}
  set refused6 {{ type ipv6_addr; flags interval, timeout; }}
  chain incoming {{
    type filter hook input priority -10; policy accept;
    tcp dport {{ {ports} }} ip saddr @refused4 drop
    tcp dport {{ {ports} }} ip6 saddr @refused6 drop
  }}
}}
"
        )
    }

    /// These are refused from now on, until their time, and nobody else.
    pub fn show(&mut self, refused: &BTreeMap<IpAddr, u64>, now_ms: u64) {
        let script = self.changes(refused, now_ms);
        self.told.clone_from(refused);
        if script.is_empty() {
            return;
        }
        // Whether the kernel took it changes nothing for us: the node refuses them in any case.
        std::thread::spawn(move || {
            if let Err(error) = run(&script) {
                tracing::warn!(%error, "kernel_not_told");
            }
        });
    }

    fn changes(&self, refused: &BTreeMap<IpAddr, u64>, now_ms: u64) -> String {
        let is_new = |from: &&IpAddr| self.told.get(*from) != refused.get(*from);
        // What has timed out is gone by itself; who was let be before is not.
        let is_let_be =
            |(from, until_ms): &(&IpAddr, &u64)| **until_ms > now_ms && !refused.contains_key(from);
        let mut script = String::new();
        for (from, _) in self.told.iter().filter(is_let_be) {
            self.command(&mut script, "delete", &[element(*from, None)], *from);
        }
        for is_v4 in [true, false] {
            let new: Vec<_> = refused.keys().filter(|from| from.is_ipv4() == is_v4).filter(is_new).collect();
            for some in new.chunks(AT_ONCE) {
                let lasts =
                    |from: &IpAddr| refused.get(from).map(|until_ms| (until_ms - now_ms).div_ceil(1_000));
                let elements: Vec<_> = some.iter().map(|from| element(**from, lasts(from))).collect();
                self.command(&mut script, "add", &elements, *some[0]);
            }
        }
        script
    }

    fn command(&self, script: &mut String, verb: &str, elements: &[String], like: IpAddr) {
        let set = if like.is_ipv4() { "refused4" } else { "refused6" };
        let _ = writeln!(script, "{verb} element inet {} {set} {{ {} }}", self.table, elements.join(", "));
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if let Err(error) = run(&format!("delete table inet {}\n", self.table)) {
            tracing::warn!(%error, "kernel_table_left");
        }
    }
}

fn element(from: IpAddr, lasts_s: Option<u64>) -> String {
    let network = if from.is_ipv4() { from.to_string() } else { format!("{from}/64") };
    lasts_s.map_or_else(|| network.clone(), |seconds| format!("{network} timeout {seconds}s"))
}

fn run(script: &str) -> Result<(), KernelError> {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = nft.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let ended = child.wait_with_output()?;
    if ended.status.success() {
        return Ok(());
    }
    let says = String::from_utf8_lossy(&ended.stderr);
    Err(KernelError::Refused(says.lines().next().unwrap_or("it does not say why").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn the_kernel_is_told_what_changed_and_nothing_else() {
        // Nothing is to be taken away at the end, for nothing was made.
        let mut kernel =
            ManuallyDrop::new(Kernel { table: "tribune_8080".to_owned(), told: BTreeMap::new() });
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let two = BTreeMap::from([(address("127.0.0.9"), 61_000), (address("2001:db8::"), 121_500)]);
        assert_eq!(
            kernel.changes(&two, 1_000),
            "add element inet tribune_8080 refused4 { 127.0.0.9 timeout 60s }\n\
             add element inet tribune_8080 refused6 { 2001:db8::/64 timeout 121s }\n"
        );
        kernel.told = two.clone();
        assert_eq!(kernel.changes(&two, 2_000), "");
        let let_be = BTreeMap::from([(address("2001:db8::"), 121_500)]);
        assert_eq!(
            kernel.changes(&let_be, 2_000),
            "delete element inet tribune_8080 refused4 { 127.0.0.9 }\n"
        );
        assert_eq!(kernel.changes(&let_be, 70_000), "", "it has timed out by itself");
        assert!(kernel.beginning(&[8_080, 443]).contains("tcp dport { 8080, 443 } ip saddr @refused4 drop"));
    }
}
