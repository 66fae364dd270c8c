//! The checksum of an Ogg page (RFC 3533, section 6): CRC-32 of polynomial 0x04c11db7, the highest bit first,
//! starting from 0.

/// Bytes taken at a step.
const STRIDE: usize = 8;
const TABLES: [[u32; 256]; STRIDE] = tables();

/// The checksum of a page whose own checksum field is 0.
pub fn checksum(page: &[u8]) -> u32 {
    checksum_on(0, page)
}

/// The checksum of what gave `sum` and then these bytes.
pub fn checksum_on(sum: u32, bytes: &[u8]) -> u32 {
    let mut steps = bytes.chunks_exact(STRIDE);
    let mut sum = sum;
    for step in &mut steps {
        let first = sum ^ u32::from_be_bytes([step[0], step[1], step[2], step[3]]);
        let [a, b, c, d] = first.to_be_bytes();
        sum = TABLES[7][a as usize]
            ^ TABLES[6][b as usize]
            ^ TABLES[5][c as usize]
            ^ TABLES[4][d as usize]
            ^ TABLES[3][step[4] as usize]
            ^ TABLES[2][step[5] as usize]
            ^ TABLES[1][step[6] as usize]
            ^ TABLES[0][step[7] as usize];
    }
    steps
        .remainder()
        .iter()
        .fold(sum, |sum, &byte| (sum << 8) ^ TABLES[0][((sum >> 24) as u8 ^ byte) as usize])
}

/// `TABLES[k][b]` is what byte `b` followed by `k` zero bytes leaves.
const fn tables() -> [[u32; 256]; STRIDE] {
    let mut tables = [[0; 256]; STRIDE];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 != 0 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut more = 1;
    while more < STRIDE {
        let mut byte = 0;
        while byte < 256 {
            let sum = tables[more - 1][byte];
            tables[more][byte] = (sum << 8) ^ tables[0][(sum >> 24) as usize];
            byte += 1;
        }
        more += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_step_give_what_one_gives() {
        let bytes: Vec<u8> = (0..100_u32).map(|n| (n * 37 + 11) as u8).collect();
        for len in 0..bytes.len() {
            let one_by_one = bytes[..len]
                .iter()
                .fold(0_u32, |sum, &byte| (sum << 8) ^ TABLES[0][((sum >> 24) as u8 ^ byte) as usize]);
            assert_eq!(checksum(&bytes[..len]), one_by_one, "{len}");
            assert_eq!(checksum_on(checksum(&bytes[..len / 3]), &bytes[len / 3..len]), one_by_one, "{len}");
        }
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }
}
