//! A run of addresses with both ends included, so that one may end with the address space itself.

/// Addresses from `first` to `last`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Span {
    pub(crate) const ALL: Self = Self { first: 0, last: u64::MAX };

    /// `first` to `last`; `None` where that is nothing.
    pub(crate) fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// `len` bytes from `first`; `None` where that is nothing or wraps.
    pub(crate) fn sized(first: u64, len: u64) -> Option<Self> {
        Self::new(first, first.checked_add(len.checked_sub(1)?)?)
    }

    #[inline]
    pub(crate) fn contains(self, address: u64) -> bool {
        self.first <= address && address <= self.last
    }

    pub(crate) fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// What is left below and above `other`.
    pub(crate) fn without(self, other: Self) -> [Option<Self>; 2] {
        let below =
            other.first.checked_sub(1).and_then(|last| Self::new(self.first, last.min(self.last)));
        let above =
            other.last.checked_add(1).and_then(|first| Self::new(first.max(self.first), self.last));
        [below, above]
    }

    /// Whether `other` contains `address`, which lies in `self`; shrinks `self` to the addresses with the same answer.
    #[inline]
    pub(crate) fn narrow(&mut self, other: Self, address: u64) -> bool {
        if other.contains(address) {
            self.first = self.first.max(other.first);
            self.last = self.last.min(other.last);
            return true;
        }
        if address < other.first {
            self.last = self.last.min(other.first - 1);
        } else {
            self.first = self.first.max(other.last + 1);
        }
        false
    }
}

/// Takes `taken` out of every one of `spans`.
pub(crate) fn remove(spans: &mut Vec<Span>, taken: Span) {
    *spans = spans.iter().flat_map(|span| span.without(taken)).flatten().collect();
}

/// The parts of `spans` inside `limit`.
pub(crate) fn inside(spans: &[Span], limit: Span) -> impl Iterator<Item = Span> {
    spans.iter().filter_map(move |span| span.intersect(limit))
}

#[cfg(test)]
mod tests;
