//! A card's link state follows its cable's.
//!
//! A carrier changes in the middle of a worker's pass, where nothing may be waited for; the card is told from a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use anyhow::{Context, Result};
use pando_engine::uplink::Carrier;

/// Plugs a card's cable in or out.
pub(super) type SetLink = Box<dyn Fn(bool) + Send>;

/// The thread that tells a card. Dropping it ends the thread.
pub(super) struct Follower {
    over: Arc<AtomicBool>,
    news: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Calls `set_link` with the state of `carrier` now and after every change.
    pub(super) fn start(carrier: Arc<Carrier>, set_link: SetLink) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        // One piece of news that waits stands for any number of changes.
        let (news, changed) = sync_channel(1);
        let watcher = news.clone();
        carrier.watch(move || {
            let _ = watcher.try_send(());
        });
        set_link(carrier.is_up());
        let ends = over.clone();
        let follow = move || {
            while changed.recv().is_ok() && !ends.load(SeqCst) {
                set_link(carrier.is_up());
            }
        };
        let thread = Builder::new().name("link".into()).spawn(follow);
        let thread = Some(thread.context("starting the thread that follows the cable")?);
        Ok(Self { over, news, thread })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let _ = self.news.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
