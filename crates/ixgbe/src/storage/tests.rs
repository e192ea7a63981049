//! Plain dwords and their exceptions.

use super::*;

#[test]
fn masks_and_aliases() {
    let storage = Storage::new(Model::default());
    storage.write(RAL_ALIAS + 12, u32::MAX);
    assert_eq!(storage.get(RAL + 12), RAH_MASK);
    storage.write(FCRTH + 28, u32::MAX);
    assert_eq!(storage.get(FCRTH + 28), FCRT_MASK);
    storage.write(FCRTH + 32, u32::MAX);
    assert_eq!(storage.get(FCRTH + 32), u32::MAX);
    storage.write(STATUS, u32::MAX);
    assert_eq!(storage.get(STATUS), 0);
    storage.write(SPACE, u32::MAX);
    assert_eq!(storage.get(SPACE), 0);
    assert_eq!(storage.get(u32::MAX), 0);
}

#[test]
fn pool_bits() {
    let storage = Storage::new(Model::default());
    storage.write(VFRE[1], 1 << 3 | 1 << 4);
    assert!(storage.has_pool(VFRE, Pool(35)));
    assert!(!storage.has_pool(VFRE, Pool(3)));
    storage.clear_pool(VFRE, Pool(35));
    assert_eq!((storage.get(VFRE[0]), storage.get(VFRE[1])), (0, 1 << 4));
}
