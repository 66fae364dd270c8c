#![no_main]

mod node;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    node::tls_records(data);
});
