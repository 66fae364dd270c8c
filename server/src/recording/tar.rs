//! A tar archive as a stream (POSIX.1-1988 ustar): headers in memory, contents from where they lie.

/// Bytes of a block.
pub const BLOCK_BYTES: u64 = 512;

/// The header of a file of at most 8 GiB less one byte; `None` when it is larger or its name longer than 100 bytes.
pub fn header(name: &str, len: u64, mtime_s: u64) -> Option<Vec<u8>> {
    const LEN_MAX: u64 = 1 << 33;
    if name.len() > 100 || len >= LEN_MAX {
        return None;
    }
    let mut block = vec![0; BLOCK_BYTES as usize];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{len:011o}\0").as_bytes());
    put(136, format!("{:011o}\0", mtime_s.min(LEN_MAX - 1)).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Zeros that fill the last block of `len` bytes of content.
pub fn padding(len: u64) -> Vec<u8> {
    vec![0; (len.next_multiple_of(BLOCK_BYTES) - len) as usize]
}

/// What ends an archive.
pub fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK_BYTES as usize]
}
