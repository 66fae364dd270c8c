//! The root over a list of tickets: a Merkle tree hash as RFC 6962, section 2.1 defines it, grown one leaf at
//! a time. It keeps one hash for each level and no leaf.

use sha2::{Digest, Sha256};

use super::ticket::Holder;

/// A hash of the tree.
pub type Hash = [u8; 32];

/// One ticket as the tree sees it: serial u32 ‖ second u32 ‖ holder, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its number.
    pub serial: u32,
    /// The second in which it was counted.
    pub second: u32,
    /// Whose it is.
    pub holder: Holder,
}

impl Leaf {
    /// Its 20 bytes.
    pub fn bytes(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&self.serial.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.second.to_be_bytes());
        bytes[8..].copy_from_slice(&self.holder.0);
        bytes
    }
}

/// The tree over the leaves so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Whole subtrees, the largest first; the sizes are the powers of two that make up `leaves`.
    whole: Vec<Hash>,
    leaves: u64,
}

impl Tree {
    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: &Leaf) {
        let mut hash = Sha256::new_with_prefix([0]).chain_update(leaf.bytes()).finalize().into();
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.whole.pop().expect("a whole subtree for each one in the count of leaves");
            hash = above(&left, &hash);
        }
        self.whole.push(hash);
        self.leaves += 1;
    }

    /// Leaves so far.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The hash over all of them; that of nothing, SHA-256 of the empty string, when there is none.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.whole.iter().rev().copied();
        let Some(last) = subtrees.next() else { return Sha256::digest([]).into() };
        subtrees.fold(last, |right, left| above(&left, &right))
    }
}

fn above(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(serial: u32) -> Leaf {
        Leaf { serial, second: serial / 3, holder: Holder([serial as u8; 12]) }
    }

    /// RFC 6962, section 2.1, word for word.
    fn by_the_book(leaves: &[Leaf]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new_with_prefix([0]).chain_update(leaf.bytes()).finalize().into(),
            more => {
                let half = more.len().next_power_of_two() / 2;
                above(&by_the_book(&more[..half]), &by_the_book(&more[half..]))
            }
        }
    }

    #[test]
    fn it_is_the_tree_of_rfc_6962() {
        let (mut tree, mut leaves) = (Tree::default(), Vec::new());
        for serial in 0..130_u32 {
            assert_eq!((tree.root(), tree.leaves()), (by_the_book(&leaves), u64::from(serial)));
            assert_eq!(tree.whole.len(), serial.count_ones() as usize);
            tree.push(&leaf(serial));
            leaves.push(leaf(serial));
        }
    }

    #[test]
    fn every_byte_of_every_leaf_counts() {
        let root = |leaves: &[Leaf]| {
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(leaf));
            tree.root()
        };
        let honest = [leaf(0), leaf(1), leaf(2)];
        for place in 0..3 {
            for changed in [
                Leaf { serial: 9, ..honest[place] },
                Leaf { second: 9, ..honest[place] },
                Leaf { holder: Holder([9; 12]), ..honest[place] },
            ] {
                let mut leaves = honest;
                leaves[place] = changed;
                assert_ne!(root(&leaves), root(&honest));
            }
        }
        assert_ne!(root(&honest[..2]), root(&honest));
    }
}
