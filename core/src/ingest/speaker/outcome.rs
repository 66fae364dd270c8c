//! What a speaker's packets come to, told by the machine that plays them.

/// What was played in one tick; the later covers the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// The speaker's sound.
    Sound,
    /// Their background, in a pause they announced.
    Pause,
    /// Something was missing and made up.
    Concealed,
    /// Nothing: nobody has spoken yet, or the hole is long.
    Nothing,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its turn.
    Waits,
    /// Its turn was over.
    Late,
    /// It came before.
    Twice,
    /// It is no packet of Opus, or too long.
    Refused,
    /// It leaps: it counts when the next follows it.
    Leapt,
}

/// Totals since the speaker came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets taken.
    pub packets: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came twice.
    pub twice: u64,
    /// Packets refused.
    pub refused: u64,
    /// Packets that had not come when their turn was over.
    pub lost: u64,
    /// Sound made up in their place or while waiting for late ones, in samples.
    pub concealed_samples: u64,
    /// Sound made up with the help of the next packet, in samples.
    pub repaired_samples: u64,
    /// Sound left out to be heard sooner, in samples.
    pub shortened_samples: u64,
    /// Sound said twice so as to wait for late packets, in samples.
    pub lengthened_samples: u64,
    /// New streams: another clock, another numbering.
    pub restarts: u64,
}

/// How the way from a speaker is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// From the arrival of a packet on the shortest way to its turn, in milliseconds.
    pub held_back_ms: f64,
    /// The share of packets that are lost.
    pub lost_share: f64,
}
