//! A command being carried out, piece by piece: what is done in one go is short, whatever SIZE says.

use pando_tlp::{Dma, Fault, Iova, Marks};

use crate::checksum::Checksum;
use crate::spec::*;

/// Bytes that are moved under one guard.
const PIECE: usize = 4096;

/// What of a command is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    command: u32,
    source: u64,
    destination: u64,
    left: u32,
    expected: u32,
    checksum: Checksum,
    /// The last of the random numbers that a write sends.
    random: u64,
}

/// How a command has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: u32,
    pub(crate) reason: Reason,
    pub(crate) checksum: Option<u32>,
}

/// A fault, and whether it was the source that gave it.
type Failed = (Fault, u32);

impl Job {
    /// A command with what the registers say; `None` if it asks for nothing that is there.
    pub(crate) fn new(
        command: u32,
        source: u64,
        destination: u64,
        size: u32,
        expected: u32,
    ) -> Option<Self> {
        (command & (READ | WRITE | COPY | RAISE_INTX | RAISE_MSI | RAISE_MSIX) != 0).then(|| Self {
            command,
            source,
            destination,
            left: if command & (READ | WRITE | COPY) == 0 { 0 } else { size },
            expected,
            checksum: Checksum::default(),
            random: destination ^ u64::from(size) << 32 | 1,
        })
    }

    /// Moves one piece; `Some` if that was the last. Call it under a guard.
    pub(crate) fn step(&mut self, dma: &dyn Dma) -> Option<End> {
        if self.command & (READ | WRITE | COPY) == 0 {
            return Some(End::default());
        }
        if self.is_out_of_range() {
            return Some(self.failure(Reason::Range, 0));
        }
        let mut buffer = [0; PIECE];
        let piece = &mut buffer[..PIECE.min(self.left as usize)];
        if let Err((fault, side)) = self.move_piece(dma, piece) {
            return Some(self.failure(reason(fault), side));
        }
        // The address that the command doesn't use may be any.
        self.source = self.source.wrapping_add(piece.len() as u64);
        self.destination = self.destination.wrapping_add(piece.len() as u64);
        self.left -= piece.len() as u32;
        (self.left == 0).then(|| self.success())
    }

    fn move_piece(&mut self, dma: &dyn Dma, piece: &mut [u8]) -> Result<(), Failed> {
        let marks = Marks {
            poisoned: self.command & POISONED != 0,
            translated: self.command & TRANSLATED != 0,
        };
        let reading = Marks { poisoned: false, ..marks };
        if self.command & (READ | COPY) != 0 {
            let read = dma.read_marked(Iova(self.source), piece, reading);
            read.map_err(|fault| (fault, SOURCE_INVALID))?;
        } else {
            self.fill(piece);
        }
        self.checksum.add(piece);
        if self.command & READ == 0 {
            let written = dma.write_marked(Iova(self.destination), piece, marks);
            written.map_err(|fault| (fault, DESTINATION_INVALID))?;
        }
        Ok(())
    }

    /// xorshift: the same numbers for the same command.
    fn fill(&mut self, piece: &mut [u8]) {
        for chunk in piece.chunks_mut(8) {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            chunk.copy_from_slice(&self.random.to_le_bytes()[..chunk.len()]);
        }
    }

    fn is_out_of_range(&self) -> bool {
        let wraps = |address: u64| address.checked_add(u64::from(self.left)).is_none();
        let reads = self.command & (READ | COPY) != 0;
        let writes = self.command & READ == 0;
        self.left == 0 || reads && wraps(self.source) || writes && wraps(self.destination)
    }

    /// The status bit of the command's success; that of its failure is the next.
    fn outcome(&self) -> u32 {
        match self.command {
            command if command & READ != 0 => READ_SUCCESS,
            command if command & WRITE != 0 => WRITE_SUCCESS,
            _ => COPY_SUCCESS,
        }
    }

    fn success(&self) -> End {
        if self.command & READ != 0 && self.checksum.0 != self.expected {
            return self.failure(Reason::Checksum, 0);
        }
        let checksum = (self.command & READ == 0).then_some(self.checksum.0);
        End { status: self.outcome(), reason: Reason::None, checksum }
    }

    fn failure(&self, reason: Reason, side: u32) -> End {
        End { status: self.outcome() << 1 | side, reason, checksum: None }
    }
}

fn reason(fault: Fault) -> Reason {
    match fault {
        Fault::Gated => Reason::Gated,
        Fault::UnsupportedRequest => Reason::UnsupportedRequest,
        Fault::CompleterAbort => Reason::CompleterAbort,
        Fault::Translation => Reason::Blocked,
    }
}
