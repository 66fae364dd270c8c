//! Who knocks on and on though refused is no more let in by the kernel: a filter of classic BPF on the
//! listening socket, for which nobody needs any right (`socket(7)`, `SO_ATTACH_FILTER`). A packet that is
//! dropped before there is a connection takes none of the node's own time.
//!
//! The program looks at the packet's source alone (RFC 791, section 3.1; RFC 8200, section 3).

use std::net::{IpAddr, TcpListener};

use socket2::{SockFilter, SockRef};

/// Sources that are looked for, one after the other: a thousand instructions, which the kernel keeps within
/// what a socket may ask for beside its buffers, and goes through in less than a microsecond.
pub const SOURCES_MAX: usize = 200;

/// Instructions (`linux/filter.h`): load a byte or four from a place, shift, compare, go on, end.
const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD: u16 = 0x20;
const SHIFT_RIGHT: u16 = 0x74;
const IS_EQUAL: u16 = 0x15;
const GO_ON: u16 = 0x05;
const END: u16 = 0x06;
/// Keep what was loaded in one of two places, and load it from there again.
const KEEP: u16 = 0x02;
const LOAD_KEPT: u16 = 0x60;
/// Places count from the network header on.
const NETWORK: u32 = 0xfff0_0000;
/// Of its first byte the version is the upper half.
const VERSION_BITS: u32 = 4;
const IPV4_SOURCE: u32 = 12;
const IPV6_SOURCE: u32 = 8;
/// How much of the packet is let through.
const DROP: u32 = 0;
const PASS: u32 = u32::MAX;

/// One instruction: what, where it goes if so and if not, and with which number.
type Instruction = (u16, u8, u8, u32);

/// Whoever connects from one of these homes gets no answer from `listener` from now on; all others do.
pub fn show(listener: &TcpListener, homes: &[IpAddr]) {
    let socket = SockRef::from(listener);
    let done = match homes {
        [] => socket.detach_filter(),
        homes => {
            // Should the new one not be taken, the old one must not stay.
            let _ = socket.detach_filter();
            let program: Vec<_> = program(homes)
                .into_iter()
                .map(|(what, yes, no, number)| SockFilter::new(what, yes, no, number))
                .collect();
            socket.attach_filter(&program)
        }
    };
    // They are refused all the same, only not as cheaply.
    if let Err(error) = done {
        tracing::warn!(%error, homes = homes.len(), "filter_not_set");
    }
}

fn program(homes: &[IpAddr]) -> Vec<Instruction> {
    let (mut four, mut six) = (vec![(LOAD_WORD, 0, 0, NETWORK + IPV4_SOURCE)], Vec::new());
    // To load from the packet costs the kernel eight instructions of its own.
    for half in 0..2 {
        six.extend([(LOAD_WORD, 0, 0, NETWORK + IPV6_SOURCE + 4 * half), (KEEP, 0, 0, half)]);
    }
    for home in homes.iter().take(SOURCES_MAX) {
        match home {
            IpAddr::V4(address) => {
                four.extend([(IS_EQUAL, 0, 1, address.to_bits()), (END, 0, 0, DROP)]);
            }
            IpAddr::V6(address) => {
                let home = (address.to_bits() >> 64) as u64;
                six.extend([
                    (LOAD_KEPT, 0, 0, 0),
                    (IS_EQUAL, 0, 3, (home >> 32) as u32),
                    (LOAD_KEPT, 0, 0, 1),
                    (IS_EQUAL, 0, 1, home as u32),
                    (END, 0, 0, DROP),
                ]);
            }
        }
    }
    four.push((END, 0, 0, PASS));
    let mut program = vec![
        (LOAD_BYTE, 0, 0, NETWORK),
        (SHIFT_RIGHT, 0, 0, VERSION_BITS),
        (IS_EQUAL, 1, 0, 4),
        (GO_ON, 0, 0, four.len() as u32),
    ];
    program.extend(four);
    program.extend(six);
    program.push((END, 0, 0, PASS));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a packet that begins with this network header.
    fn runs(program: &[Instruction], header: &[u8]) -> u32 {
        let (mut at, mut value, mut kept) = (0, 0, [0; 2]);
        loop {
            let (what, yes, no, number) = program[at];
            at += 1;
            let place = number.wrapping_sub(NETWORK) as usize;
            match what {
                LOAD_BYTE => value = header[place].into(),
                LOAD_WORD => {
                    value = header[place..place + 4].iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
                }
                KEEP => kept[number as usize] = value,
                LOAD_KEPT => value = kept[number as usize],
                SHIFT_RIGHT => value >>= number,
                IS_EQUAL => at += usize::from(if value == number { yes } else { no }),
                GO_ON => at += number as usize,
                END => return number,
                what => panic!("{what:#x}"),
            }
        }
    }

    fn header(from: IpAddr) -> Vec<u8> {
        let mut header = vec![0; 40];
        match from {
            IpAddr::V4(address) => {
                header[0] = 0x45;
                header[12..16].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                header[0] = 0x60;
                header[8..24].copy_from_slice(&address.octets());
            }
        }
        header
    }

    #[test]
    fn who_is_named_is_dropped_and_nobody_else() {
        let homes = ["192.0.2.7", "2001:db8:1:2::", "192.0.2.9", "2001:db8:1:3::"];
        let homes: Vec<IpAddr> = homes.iter().map(|home| home.parse().expect("an address")).collect();
        let program = program(&homes);
        for (from, is_dropped) in [
            ("192.0.2.7", true),
            ("192.0.2.9", true),
            ("192.0.2.8", false),
            ("2001:db8:1:2:3::4", true),
            ("2001:db8:1:3::", true),
            ("2001:db8:1:4::", false),
            ("2001:db8:2:2::", false),
            ("::", false),
        ] {
            let does = runs(&program, &header(from.parse().expect("an address")));
            assert_eq!(does, if is_dropped { DROP } else { PASS }, "{from}");
        }
    }

    #[test]
    fn the_kernel_takes_the_largest_program_and_does_what_it_says() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("it does not wait");
        let at = listener.local_addr().expect("its address");
        let others = (1..SOURCES_MAX as u32).map(|number| IpAddr::V4((0xc000_0200 + number).into()));
        let homes: Vec<IpAddr> = others.chain([at.ip()]).collect();
        let accepts = |listener: &TcpListener| {
            let from = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("one");
            from.set_nonblocking(true).expect("it does not wait");
            // On the machine itself the handshake is over when this comes back.
            let _ = from.connect(&at.into());
            listener.accept().is_ok()
        };
        assert!(accepts(&listener));
        let socket = SockRef::from(&listener);
        show(&listener, &homes);
        assert!(!accepts(&listener), "nobody answers");
        show(&listener, &homes[1..SOURCES_MAX - 1]);
        assert!(accepts(&listener), "others are answered");
        let six = (0..SOURCES_MAX as u128).map(|number| IpAddr::V6((number << 64).into()));
        show(&listener, &six.collect::<Vec<_>>());
        assert!(socket.detach_filter().is_ok(), "there was one");
        show(&listener, &homes);
        show(&listener, &[]);
        assert!(accepts(&listener) && socket.detach_filter().is_err(), "there is none any more");
    }
}
