//! The blocks of a pcapng file: section header, interface descriptions, enhanced packets (draft-ietf-opsawg-pcapng, 4.1 to 4.3).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};

use super::{Direction, Record};

/// `if_tsresol`: timestamps in units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

pub(super) struct Writer {
    file: PcapNgWriter<BufWriter<File>>,
    snap_length: u32,
    interfaces: u32,
    failed: bool,
}

impl Writer {
    pub(super) fn new(file: File, snap_length: usize) -> io::Result<Self> {
        let file = PcapNgWriter::new(BufWriter::with_capacity(1 << 18, file)).map_err(plain)?;
        Ok(Self { file, snap_length: snap_length as u32, interfaces: 0, failed: false })
    }

    /// Interfaces described so far.
    pub(super) fn interfaces(&self) -> u32 {
        self.interfaces
    }

    pub(super) fn interface(&mut self, name: &str) -> io::Result<()> {
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: self.snap_length,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.file.write_pcapng_block(block.into_owned()).map_err(plain)?;
        self.interfaces += 1;
        Ok(())
    }

    pub(super) fn frame(&mut self, record: &Record) -> io::Result<()> {
        let direction = match record.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        let block = EnhancedPacketBlock {
            interface_id: record.interface,
            timestamp: record.time,
            original_len: record.len,
            data: Cow::Borrowed(&record.bytes),
            options: vec![EnhancedPacketOption::Flags(direction)],
        };
        self.file.write_pcapng_block(block).map_err(plain)?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.get_mut().flush()
    }

    /// Notes that writing has failed; `true` the first time.
    pub(super) fn fail(&mut self) -> bool {
        !std::mem::replace(&mut self.failed, true)
    }
}

fn plain(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
