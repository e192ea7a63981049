//! CRC32c, SCTP's checksum (RFC 9260, appendix A), and Ethernet's CRC32 (IEEE 802.3, 3.2.9): a byte at a time, for what is rare.

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut crc, mut bit) = (index as u32, 0);
        while bit < 8 {
            crc = if crc & 1 != 0 { crc >> 1 ^ polynomial } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

static CASTAGNOLI: [u32; 256] = table(0x82f6_3b78);
static ETHERNET: [u32; 256] = table(0xedb8_8320);

/// A check sequence under way.
#[derive(Clone, Copy)]
pub(crate) struct Crc {
    table: &'static [u32; 256],
    state: u32,
}

impl Crc {
    /// Of an SCTP packet.
    pub(crate) fn sctp() -> Self {
        Self { table: &CASTAGNOLI, state: u32::MAX }
    }

    /// Of an Ethernet frame.
    pub(crate) fn ethernet() -> Self {
        Self { table: &ETHERNET, state: u32::MAX }
    }

    /// Goes on with `bytes`.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let index = (self.state as u8 ^ byte) as usize;
            self.state = self.state >> 8 ^ self.table[index];
        }
    }

    /// As it is put into the packet.
    pub(crate) fn finish(self) -> [u8; 4] {
        (!self.state).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        let crc = |mut crc: Crc| {
            crc.add(b"1234");
            crc.add(b"56789");
            u32::from_le_bytes(crc.finish())
        };
        assert_eq!(crc(Crc::sctp()), 0xe306_9283);
        assert_eq!(crc(Crc::ethernet()), 0xcbf4_3926);
    }
}
