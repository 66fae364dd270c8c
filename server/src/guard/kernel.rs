//! Who is refused is so by the kernel too, where we are allowed to tell it (`--kernel-shed`): a packet that
//! nobody answers costs less than a connection that is closed.
//!
//! One table of our own in nftables, for the public port only, with sets whose elements time out by
//! themselves: should we die, nobody stays refused for longer than a quarter of an hour. The table is made
//! anew at each start, and taken away at the end.
//!
//! A thread of its own tells the kernel, one change after the other: the guard waits for nobody, and what it
//! said last is what holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::config::Config;

/// Elements in one command.
const AT_ONCE: usize = 1_000;

/// Who is refused, and until when, in milliseconds of the node's clock.
type Refused = Arc<BTreeMap<IpAddr, u64>>;

/// The kernel's part.
#[derive(Debug)]
pub struct Kernel {
    orders: Arc<Orders>,
    tells: Option<JoinHandle<()>>,
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
        let table = Table::new(ports);
        run(&table.beginning(ports))?;
        let orders = Arc::new(Orders::default());
        let tells = std::thread::spawn({
            let orders = orders.clone();
            move || table.follow(&orders)
        });
        Ok(Self { orders, tells: Some(tells) })
    }

    /// These are refused from now on, until their time, and nobody else.
    pub fn show(&self, refused: &Refused, now_ms: u64) {
        self.orders.lock().next = Some((refused.clone(), now_ms));
        self.orders.given.notify_one();
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.orders.lock().is_over = true;
        self.orders.given.notify_one();
        if self.tells.take().is_some_and(|tells| tells.join().is_err()) {
            tracing::error!("who_tells_the_kernel_died");
        }
    }
}

/// What the kernel is to be told next.
#[derive(Debug, Default)]
struct Orders {
    of: Mutex<Order>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct Order {
    /// Who is refused as of a moment. Only the last word counts.
    next: Option<(Refused, u64)>,
    is_over: bool,
}

impl Orders {
    fn lock(&self) -> MutexGuard<'_, Order> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next; `None` at the end.
    fn next(&self) -> Option<(Refused, u64)> {
        let waits = |order: &mut Order| order.next.is_none() && !order.is_over;
        let mut order = self.given.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        order.next.take().filter(|_| !order.is_over)
    }
}

/// The table, and what the kernel has in it as far as we know.
struct Table {
    name: String,
    told: Refused,
}

impl Table {
    fn new(ports: &[u16]) -> Self {
        let first = ports.first().copied().unwrap_or_default();
        Self { name: format!("tribune_{first}"), told: Refused::default() }
    }

    /// Tells the kernel whatever is to be told, and takes the table away at the end.
    fn follow(mut self, orders: &Orders) {
        while let Some((refused, now_ms)) = orders.next() {
            let script = self.changes(&refused, now_ms);
            match if script.is_empty() { Ok(()) } else { run(&script) } {
                Ok(()) => self.told = refused,
                // The node refuses them in any case, and the next change tells the kernel of these too.
                Err(error) => tracing::warn!(%error, "kernel_not_told"),
            }
        }
        if let Err(error) = run(&format!("delete table inet {}\n", self.name)) {
            tracing::warn!(%error, "kernel_table_left");
        }
    }

    /// The whole table, in place of any of an earlier run.
    fn beginning(&self, ports: &[u16]) -> String {
        let table = &self.name;
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

    fn changes(&self, refused: &BTreeMap<IpAddr, u64>, now_ms: u64) -> String {
        let is_new = |from: &&IpAddr| self.told.get(*from) != refused.get(*from);
        // What has timed out is gone by itself; who was let be before is not, and an element that is there
        // keeps the time it was given.
        let is_over =
            |(from, until_ms): &(&IpAddr, &u64)| **until_ms > now_ms && refused.get(*from) != Some(*until_ms);
        let mut script = String::new();
        for (from, _) in self.told.iter().filter(is_over) {
            // To take away what is not there would fail, and all other changes with it.
            self.command(&mut script, "add", &[element(*from, None)], *from);
            self.command(&mut script, "delete", &[element(*from, None)], *from);
        }
        for is_v4 in [true, false] {
            let new: Vec<_> = refused.keys().filter(|from| from.is_ipv4() == is_v4).filter(is_new).collect();
            for some in new.chunks(AT_ONCE) {
                let lasts = |from: &IpAddr| {
                    refused.get(from).map(|until_ms| until_ms.saturating_sub(now_ms).div_ceil(1_000).max(1))
                };
                let elements: Vec<_> = some.iter().map(|from| element(**from, lasts(from))).collect();
                self.command(&mut script, "add", &elements, *some[0]);
            }
        }
        script
    }

    fn command(&self, script: &mut String, verb: &str, elements: &[String], like: IpAddr) {
        let set = if like.is_ipv4() { "refused4" } else { "refused6" };
        let _ = writeln!(script, "{verb} element inet {} {set} {{ {} }}", self.name, elements.join(", "));
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
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn refused(all: &[(&str, u64)]) -> Refused {
        Arc::new(all.iter().map(|(from, until_ms)| (address(from), *until_ms)).collect())
    }

    #[test]
    fn the_kernel_is_told_what_changed_and_nothing_else() {
        let mut table = Table::new(&[8_080, 443]);
        let two = refused(&[("127.0.0.9", 61_000), ("2001:db8::", 121_500)]);
        assert_eq!(
            table.changes(&two, 1_000),
            "add element inet tribune_8080 refused4 { 127.0.0.9 timeout 60s }\n\
             add element inet tribune_8080 refused6 { 2001:db8::/64 timeout 121s }\n"
        );
        table.told = two.clone();
        assert_eq!(table.changes(&two, 2_000), "");
        let let_be = refused(&[("2001:db8::", 121_500)]);
        assert_eq!(
            table.changes(&let_be, 2_000),
            "add element inet tribune_8080 refused4 { 127.0.0.9 }\n\
             delete element inet tribune_8080 refused4 { 127.0.0.9 }\n"
        );
        assert_eq!(table.changes(&let_be, 70_000), "", "it has timed out by itself");
        let longer = refused(&[("127.0.0.9", 161_000), ("2001:db8::", 121_500)]);
        assert_eq!(
            table.changes(&longer, 60_500),
            "add element inet tribune_8080 refused4 { 127.0.0.9 }\n\
             delete element inet tribune_8080 refused4 { 127.0.0.9 }\n\
             add element inet tribune_8080 refused4 { 127.0.0.9 timeout 101s }\n",
            "an element that is there would keep its time"
        );
        assert!(table.beginning(&[8_080, 443]).contains("tcp dport { 8080, 443 } ip saddr @refused4 drop"));
    }

    #[test]
    fn only_the_last_word_counts_and_the_end_is_the_end() {
        let orders = Orders::default();
        for until_ms in [1, 2] {
            orders.lock().next = Some((refused(&[("127.0.0.9", until_ms)]), 0));
        }
        let (last, _) = orders.next().expect("there is something to tell");
        assert_eq!(last, refused(&[("127.0.0.9", 2)]));
        orders.lock().next = Some((last, 0));
        orders.lock().is_over = true;
        assert_eq!(orders.next(), None, "the table is taken away with all that is in it");
    }
}
