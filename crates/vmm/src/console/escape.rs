//! Ctrl-A commands on a raw terminal: the keys that are for Pando, not for the guest.

/// The prefix key.
const PREFIX: u8 = 0x01;

/// Shown for Ctrl-A h.
pub const HELP: &str = "\r\nCtrl-A h  this help\r\nCtrl-A x  stop the machine\r\nCtrl-A a  send Ctrl-A to the guest\r\n";

/// What a key asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stop the machine.
    Quit,
    /// Print [`HELP`].
    Help,
}

/// Splits typed bytes into the guest's and ours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Escape {
    prefixed: bool,
}

impl Escape {
    /// Takes one typed byte: bytes for the guest go to `guest`, a command comes back.
    pub fn key(&mut self, byte: u8, guest: &mut impl Extend<u8>) -> Option<Command> {
        if !std::mem::take(&mut self.prefixed) {
            match byte {
                PREFIX => self.prefixed = true,
                _ => guest.extend([byte]),
            }
            return None;
        }
        match byte {
            b'x' | b'X' => return Some(Command::Quit),
            b'h' | b'H' | b'?' => return Some(Command::Help),
            b'a' | PREFIX => guest.extend([PREFIX]),
            other => guest.extend([PREFIX, other]),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Vec<u8>, Vec<Command>) {
        let (mut escape, mut guest) = (Escape::default(), Vec::new());
        let commands = keys.iter().filter_map(|key| escape.key(*key, &mut guest)).collect();
        (guest, commands)
    }

    #[test]
    fn keys_reach_the_guest_and_commands_do_not() {
        assert_eq!(typed(b"ab\x03"), (b"ab\x03".to_vec(), vec![]));
        assert_eq!(typed(b"a\x01xb"), (b"ab".to_vec(), vec![Command::Quit]));
        assert_eq!(typed(b"\x01h\x01?"), (vec![], vec![Command::Help, Command::Help]));
        assert_eq!(typed(b"\x01a\x01\x01"), (b"\x01\x01".to_vec(), vec![]));
        assert_eq!(typed(b"\x01e"), (b"\x01e".to_vec(), vec![]));
    }
}
