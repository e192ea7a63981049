//! Byte-exact reads of a register image at any offset and width.

/// Fills `data` from `image` at `offset`; what lies past the image is zero.
pub(crate) fn read(image: &[u8], offset: usize, data: &mut [u8]) {
    for (at, byte) in data.iter_mut().enumerate() {
        *byte = offset.checked_add(at).and_then(|at| image.get(at)).copied().unwrap_or(0);
    }
}
