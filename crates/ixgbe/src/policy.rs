//! What the PF's filter and pool registers mean for the switch. Not there yet.

use std::sync::Arc;

use crate::chip::Chip;
use crate::queue::QueueIndex;
use crate::work::Work;

/// Filters, pools or RSS have changed: `Effect::Filters` and `Effect::Gates`, link changes, VFs that come and go.
pub(crate) fn filters_changed(_chip: &Arc<Chip>, _work: &Work) {}

/// A queue's rate has changed.
pub(crate) fn rate_changed(_chip: &Arc<Chip>, _work: &Work, _queue: QueueIndex) {}

/// Drop Enable of a receive queue was set or taken back, whatever its SRRCTL says.
pub(crate) fn drop_enable_changed(_chip: &Arc<Chip>, _queue: QueueIndex, _enabled: bool) {}
