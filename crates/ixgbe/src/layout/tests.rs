//! Queues of pools, pools of queues, owners.

use pando_pci::FunctionId;

use super::*;

#[test]
fn pools_and_queues() {
    for mode in 1..4 {
        let layout = Layout::of_vt_mode(mode);
        let each = layout.queues_per_pool();
        for queue in QueueIndex::all() {
            let pool = layout.pool(queue).unwrap();
            let number = layout.queue_in_pool(queue) as u32;
            assert_eq!(layout.queue(pool, number), Some(queue));
        }
        let pools = QUEUES / each;
        assert_eq!(layout.queue(Pool(0), each as u32), None, "the pool hasn't got it");
        assert_eq!(layout.queue(Pool(pools as u8), 0), None, "there is no such pool");
    }
    assert_eq!([0, 1, 2, 3].map(|m| Layout::of_vt_mode(m).queues_per_pool()), [128, 8, 4, 2]);
    assert_eq!(Layout::of_vt_mode(0xffff_fffc), Layout::Whole);
    assert_eq!(Layout::Whole.queue(Pool(0), 0), None);
}

#[test]
fn owners() {
    let owner = |layout: Layout, queue, vfs| layout.owner(QueueIndex::new(queue).unwrap(), vfs);
    assert_eq!(owner(Layout::Whole, 0, 63), FunctionId::Pf);
    assert_eq!(owner(Layout::Pools64, 125, 63), FunctionId::Vf(62));
    assert_eq!(owner(Layout::Pools64, 126, 63), FunctionId::Pf);
    assert_eq!(owner(Layout::Pools32, 4, 1), FunctionId::Pf);
    assert_eq!(owner(Layout::Pools32, 3, 1), FunctionId::Vf(0));
    assert_eq!(owner(Layout::Pools16, 8, 2), FunctionId::Vf(1));
}
