//! What this machine has and uses, as Linux says it: `/proc`, `/sys`, control groups of both versions.
//!
//! Whatever is not there, or not as expected, is `None`: it is then said to be unknown, and binds nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Clock ticks of all processors since the machine began, from `/proc/stat` (proc(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// All of them.
    pub all: u64,
    /// Given to other machines by the host.
    pub stolen: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What there is: of the machine, or what its control groups let the process have.
    pub most: u64,
    /// What is there for the taking.
    pub available: u64,
}

/// The ticks now.
pub fn ticks() -> Option<Ticks> {
    ticks_of(&fs::read_to_string("/proc/stat").ok()?)
}

/// The processors that the process may use, as a number that need not be whole.
pub fn cores() -> f64 {
    let allowed = fs::read_to_string("/proc/self/status").ok().and_then(|text| allowed_of(&text));
    let allowed =
        allowed.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from) as u64);
    Groups::read().cpu().map_or(allowed as f64, |quota| quota.min(allowed as f64))
}

/// Memory now.
pub fn memory() -> Option<Memory> {
    let machine = meminfo_of(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(Groups::read().memory().into_iter().fold(machine, |least, group| {
        if group.most < machine.most {
            Memory { most: least.most.min(group.most), available: least.available.min(group.available) }
        } else {
            least
        }
    }))
}

/// Bytes of the kernel's own objects: those that count where memory is limited, which may be a control group.
pub fn kernel_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let groups = Groups::read();
    let limited = groups.memory().iter().any(|group| Some(group.most) < kilobytes(&text, "MemTotal:"));
    limited.then(|| groups.kernel_bytes()).flatten().or_else(|| kilobytes(&text, "Slab:"))
}

/// The speed of the network interface that leads to the world, in Mbit/s.
pub fn egress_mbit() -> Option<u64> {
    let route = fs::read_to_string("/proc/net/route").ok()?;
    let name = default_route(&route)?;
    let speed = fs::read_to_string(Path::new("/sys/class/net").join(name).join("speed")).ok()?;
    speed.trim().parse().ok().filter(|mbit| *mbit > 0)
}

/// What tells this machine from another: its processors, memory and kernel.
pub fn name() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = memory().map_or(0, |memory| memory.most);
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = model.trim_start_matches([' ', '\t', ':']);
    format!("{model}; {} cores; {memory} bytes; Linux {}", cores(), kernel.trim())
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
fn ticks_of(stat: &str) -> Option<Ticks> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> =
        fields.split_whitespace().take(8).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    Some(Ticks {
        all: fields.iter().fold(0, |sum: u64, one| sum.saturating_add(*one)),
        stolen: *fields.get(7)?,
    })
}

/// `Cpus_allowed_list: 0-3,8` has five.
fn allowed_of(status: &str) -> Option<u64> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let counts = list.trim().split(',').map(|range| match range.split_once('-') {
        Some((from, to)) => to.parse::<u64>().ok()?.checked_sub(from.parse().ok()?)?.checked_add(1),
        None => range.parse::<u64>().ok().map(|_| 1),
    });
    counts.sum::<Option<u64>>().filter(|count| *count > 0)
}

fn meminfo_of(text: &str) -> Option<Memory> {
    Some(Memory { most: kilobytes(text, "MemTotal:")?, available: kilobytes(text, "MemAvailable:")? })
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The line whose destination and mask are both zero.
fn default_route(route: &str) -> Option<&str> {
    route.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")).then(|| fields[0])
    })
}

/// The control groups that the process is in: one tree for everything (version 2), or one for each resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    unified: Option<PathBuf>,
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
}

impl Groups {
    fn read() -> Self {
        fs::read_to_string("/proc/self/cgroup").map_or_else(|_| Self::default(), |text| Self::of(&text))
    }

    /// Lines of `number:controllers:path`; version 2 has no controllers (cgroups(7)).
    fn of(text: &str) -> Self {
        let mut groups = Self::default();
        for line in text.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            let path = Some(PathBuf::from(path.trim_start_matches('/')));
            if controllers.is_empty() {
                groups.unified = path;
            } else if controllers.split(',').any(|one| one == "memory") {
                groups.memory = path;
            } else if controllers.split(',').any(|one| one == "cpu") {
                groups.cpu = path;
            }
        }
        groups
    }

    /// Every limit on the way to the root holds.
    fn memory(&self) -> Vec<Memory> {
        let unified = folders("/sys/fs/cgroup", self.unified.as_deref()).filter_map(|at| {
            let stat = fs::read_to_string(at.join("memory.stat")).unwrap_or_default();
            let most = number(&at.join("memory.max"))?;
            Some(held(most, number(&at.join("memory.current"))?, row(&stat, "inactive_file")))
        });
        let own = folders("/sys/fs/cgroup/memory", self.memory.as_deref()).filter_map(|at| {
            let stat = fs::read_to_string(at.join("memory.stat")).unwrap_or_default();
            let most = number(&at.join("memory.limit_in_bytes"))?;
            Some(held(most, number(&at.join("memory.usage_in_bytes"))?, row(&stat, "total_inactive_file")))
        });
        unified.chain(own).collect()
    }

    /// What the kernel keeps for the group itself.
    fn kernel_bytes(&self) -> Option<u64> {
        let unified = folders("/sys/fs/cgroup", self.unified.as_deref())
            .find_map(|at| row(&fs::read_to_string(at.join("memory.stat")).ok()?, "kernel"));
        let own = || {
            folders("/sys/fs/cgroup/memory", self.memory.as_deref())
                .find_map(|at| number(&at.join("memory.kmem.usage_in_bytes")))
        };
        unified.or_else(own)
    }

    /// The least of the processors' limits on the way to the root.
    fn cpu(&self) -> Option<f64> {
        let unified = folders("/sys/fs/cgroup", self.unified.as_deref())
            .filter_map(|at| quota_of(&fs::read_to_string(at.join("cpu.max")).ok()?));
        let own = folders("/sys/fs/cgroup/cpu", self.cpu.as_deref()).filter_map(|at| {
            let read = |name: &str| fs::read_to_string(at.join(name)).ok();
            quota_of(&format!("{} {}", read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim()))
        });
        unified.chain(own).min_by(f64::total_cmp)
    }
}

/// A group's folder and those above it. In a container the path may be one of the host's, which is not there;
/// what is there is its own.
fn folders(mount: &str, path: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let mount = PathBuf::from(mount);
    path.into_iter()
        .flat_map(Path::ancestors)
        .map(move |path| mount.join(path))
        .collect::<Vec<_>>()
        .into_iter()
}

fn held(most: u64, used: u64, reclaimable: Option<u64>) -> Memory {
    let used = used.saturating_sub(reclaimable.unwrap_or(0));
    Memory { most, available: most.saturating_sub(used) }
}

/// `max` is no number, and no limit.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn row(stat: &str, name: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Microseconds of processor in a period of so many: `50000 100000` is half a core; `max` and -1 no limit.
fn quota_of(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<i64>().ok()?, period.trim().parse::<i64>().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_summed_and_stolen_ones_told_apart() {
        let stat = "cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 0 0\ncpu0 1393280 32966\n";
        let all = 10_132_153 + 290_696 + 3_084_719 + 46_828_483 + 16_683 + 25_195 + 175_628;
        assert_eq!(ticks_of(stat), Some(Ticks { all, stolen: 175_628 }));
        for odd in ["", "cpu", "cpu  1 2 3", "cpu  1 2 3 4 5 6 7 x", "intr 1"] {
            assert_eq!(ticks_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_processors_that_are_allowed_are_counted() {
        for (list, count) in
            [("0", Some(1)), ("0-3,8", Some(5)), ("0,2,4-5", Some(4)), ("", None), ("3-1", None)]
        {
            let status =
                format!("Name:\ttribune\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\n");
            assert_eq!(allowed_of(&status), count, "{list}");
        }
    }

    #[test]
    fn memory_is_what_the_kernel_says_is_available() {
        let text = "MemTotal:       24682416 kB\nMemFree:         5144520 kB\n\
                    MemAvailable:   23503392 kB\nSlab:             886900 kB\n";
        assert_eq!(
            meminfo_of(text),
            Some(Memory { most: 24_682_416 * 1_024, available: 23_503_392 * 1_024 })
        );
        assert_eq!(kilobytes(text, "Slab:"), Some(886_900 * 1_024));
        assert_eq!(meminfo_of("MemTotal: 5 kB\n"), None);
        assert_eq!(kilobytes("Slab: 99999999999999999999 kB", "Slab:"), None);
    }

    #[test]
    fn control_groups_of_both_versions_are_found() {
        let path = |text: &str| Some(PathBuf::from(text));
        let second = Groups::of("0::/system.slice/tribune.service\n");
        assert_eq!(second, Groups { unified: path("system.slice/tribune.service"), ..Groups::default() });
        let first = Groups::of("4:memory:/a/b\n3:cpuset:/\n2:cpuacct,cpu:/c\n0::/\nnonsense\n7:x\n");
        assert_eq!(first, Groups { unified: path(""), memory: path("a/b"), cpu: path("c") });
        assert_eq!(Groups::of("4:memory_like:/a"), Groups::default());
        let folders: Vec<_> = folders("/m", first.memory.as_deref()).collect();
        assert_eq!(folders, ["/m/a/b", "/m/a", "/m/"].map(PathBuf::from));
    }

    #[test]
    fn a_limit_of_processors_need_not_be_whole() {
        for (text, cores) in [
            ("50000 100000\n", Some(0.5)),
            ("250000 100000", Some(2.5)),
            ("max 100000", None),
            ("-1 100000", None),
            ("5 0", None),
            ("5", None),
        ] {
            assert_eq!(quota_of(text), cores, "{text}");
        }
    }

    #[test]
    fn memory_that_can_be_taken_back_is_available() {
        let stat = "anon 1000\ninactive_file 300\ninactive_file_x 9\n";
        assert_eq!(row(stat, "inactive_file"), Some(300));
        assert_eq!(held(2_000, 1_500, row(stat, "inactive_file")), Memory { most: 2_000, available: 800 });
        assert_eq!(held(100, 500, None).available, 0);
    }

    #[test]
    fn the_way_to_the_world_is_the_default_route() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let lines = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                     eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert_eq!(default_route(&format!("{head}{lines}")), Some("eth0"));
        assert_eq!(default_route(head), None);
    }

    #[test]
    fn this_machine_says_something() {
        assert!(cores() > 0.0);
        assert!(memory().is_some_and(|memory| memory.available <= memory.most));
        assert!(ticks().is_some_and(|ticks| ticks.stolen <= ticks.all));
        assert!(kernel_bytes().is_some_and(|bytes| bytes > 0));
        assert!(name().contains("Linux"));
    }
}
