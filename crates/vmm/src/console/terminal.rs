//! The raw terminal, and its way back on every exit: return, signal, panic.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::PoisonError;

/// What the terminal was before; kept where the panic hook finds it.
static SAVED: Mutex<Option<libc::termios>> = Mutex::new(None);

/// While it lives, standard input is a raw terminal.
#[derive(Debug)]
pub struct RawTerminal(());

impl RawTerminal {
    /// Makes standard input raw; `None` if it is no terminal.
    pub fn new() -> io::Result<Option<Self>> {
        let Some(saved) = attributes() else { return Ok(None) };
        let mut raw = saved;
        #[expect(unsafe_code, reason = "termios has no safe wrapper in the crates we use")]
        // SAFETY: cfmakeraw only changes the given struct.
        unsafe {
            libc::cfmakeraw(&mut raw);
        }
        // Output stays cooked, so that our own lines begin at the left margin.
        raw.c_oflag = saved.c_oflag;
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        set_attributes(&raw)?;
        restore_on_panic();
        Ok(Some(Self(())))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Sets the terminal back to what it was, once.
pub fn restore() {
    if let Some(saved) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = set_attributes(&saved);
    }
}

/// The panic hook runs before the process aborts; a destructor doesn't.
fn restore_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        previous(info);
    }));
}

/// The attributes of standard input, `None` if it is no terminal.
fn attributes() -> Option<libc::termios> {
    let mut attributes = MaybeUninit::uninit();
    #[expect(unsafe_code, reason = "termios has no safe wrapper in the crates we use")]
    // SAFETY: tcgetattr fills the struct when it returns 0, and only then it is used.
    unsafe {
        (libc::tcgetattr(libc::STDIN_FILENO, attributes.as_mut_ptr()) == 0)
            .then(|| attributes.assume_init())
    }
}

fn set_attributes(attributes: &libc::termios) -> io::Result<()> {
    #[expect(unsafe_code, reason = "termios has no safe wrapper in the crates we use")]
    // SAFETY: tcsetattr only reads the given struct.
    let result = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, attributes) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
