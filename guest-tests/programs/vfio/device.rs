//! A VFIO container with one group and the device in it (Linux, Documentation/driver-api/vfio.rst).

use std::fs::{File, OpenOptions, read_link};
use std::io::{Error, Result};
use std::os::unix::fs::FileExt;

use crate::sys::{Event, Mapping, device_of_group, ioctl, ioctl_value};

mod request {
    pub(super) const API_VERSION: u64 = 0x3b64;
    pub(super) const CHECK_EXTENSION: u64 = 0x3b65;
    pub(super) const SET_IOMMU: u64 = 0x3b66;
    pub(super) const GROUP_STATUS: u64 = 0x3b67;
    pub(super) const SET_CONTAINER: u64 = 0x3b68;
    pub(super) const DEVICE: u64 = 0x3b6a;
    pub(super) const REGION: u64 = 0x3b6c;
    pub(super) const INTERRUPTS: u64 = 0x3b6e;
    pub(super) const RESET: u64 = 0x3b6f;
    pub(super) const MAP: u64 = 0x3b71;
    pub(super) const UNMAP: u64 = 0x3b72;
}

const TYPE1_V2: u64 = 3;
const CONFIG_REGION: u32 = 7;

/// A kind of interrupt, by VFIO's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Pin = 0,
    Msi = 1,
    Msix = 2,
}

/// The most vectors that are asked for at once.
const VECTORS: usize = 32;
const NO_DATA: u32 = 1 << 0;
const EVENTFD: u32 = 1 << 2;
const MASK: u32 = 1 << 3;
const UNMASK: u32 = 1 << 4;
const TRIGGER: u32 = 1 << 5;

/// A device that this process drives, alone in its container: an I/O address space of its own.
#[derive(Debug)]
pub(crate) struct Device {
    container: File,
    _group: File,
    file: File,
}

#[repr(C)]
struct Map {
    size_of: u32,
    flags: u32,
    address: u64,
    iova: u64,
    len: u64,
}

#[repr(C)]
struct Unmap {
    size_of: u32,
    flags: u32,
    iova: u64,
    len: u64,
}

#[repr(C)]
struct RegionInfo {
    size_of: u32,
    flags: u32,
    index: u32,
    capabilities: u32,
    size: u64,
    offset: u64,
}

#[repr(C)]
struct Interrupts {
    size_of: u32,
    flags: u32,
    index: u32,
    start: u32,
    count: u32,
    fds: [i32; VECTORS],
}

fn open(path: &str) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.map_err(|error| Error::other(format!("{path}: {error}")))
}

impl Device {
    /// Opens the function at a PCI address like `0000:02:00.1`, which `vfio-pci` must have.
    pub(crate) fn open(address: &str) -> Result<Self> {
        let container = open("/dev/vfio/vfio")?;
        let version = ioctl_value(&container, request::API_VERSION, 0)?;
        let type1 = ioctl_value(&container, request::CHECK_EXTENSION, TYPE1_V2)?;
        if (version, type1) != (0, 1) {
            return Err(Error::other("VFIO has no type 1 container"));
        }
        let link = read_link(format!("/sys/bus/pci/devices/{address}/iommu_group"))?;
        let number = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let group = open(&format!("/dev/vfio/{number}"))?;
        let mut status = [8u32, 0];
        ioctl(&group, request::GROUP_STATUS, &mut status)?;
        if status[1] & 1 == 0 {
            return Err(Error::other(format!("group {number} is not viable")));
        }
        let mut fd = std::os::fd::AsRawFd::as_raw_fd(&container);
        ioctl(&group, request::SET_CONTAINER, &mut fd)?;
        ioctl_value(&container, request::SET_IOMMU, TYPE1_V2)
            .map_err(|error| Error::other(format!("the container's IOMMU: {error}")))?;
        let file = device_of_group(&group, request::DEVICE, address)?;
        Ok(Self { container, _group: group, file })
    }

    /// Lets the device reach `memory` at `iova`.
    pub(crate) fn map(&self, memory: &Mapping, iova: u64) -> Result<()> {
        let len = memory.len() as u64;
        let mut map = Map { size_of: 32, flags: 3, address: memory.address(), iova, len };
        ioctl(&self.container, request::MAP, &mut map).map(drop)
    }

    /// Takes `len` bytes at `iova` away from the device.
    pub(crate) fn unmap(&self, iova: u64, len: u64) -> Result<()> {
        let mut unmap = Unmap { size_of: 24, flags: 0, iova, len };
        ioctl(&self.container, request::UNMAP, &mut unmap).map(drop)
    }

    fn region(&self, index: u32) -> Result<RegionInfo> {
        let mut info =
            RegionInfo { size_of: 32, flags: 0, index, capabilities: 0, size: 0, offset: 0 };
        ioctl(&self.file, request::REGION, &mut info)?;
        Ok(info)
    }

    /// Maps a whole BAR.
    pub(crate) fn bar(&self, index: u32) -> Result<Mapping> {
        let info = self.region(index)?;
        if info.size == 0 {
            return Err(Error::other(format!("there is no BAR {index}")));
        }
        Mapping::of_file(&self.file, info.offset, info.size as usize)
            .map_err(|error| Error::other(format!("mapping BAR {index}: {error}")))
    }

    /// Reads configuration space.
    pub(crate) fn config<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let mut data = [0; N];
        self.file.read_exact_at(&mut data, self.region(CONFIG_REGION)?.offset + at)?;
        Ok(data)
    }

    /// Writes configuration space.
    pub(crate) fn set_config(&self, at: u64, data: &[u8]) -> Result<()> {
        self.file.write_all_at(data, self.region(CONFIG_REGION)?.offset + at)
    }

    /// Lets the first vectors of a kind signal these; without any, the function has no interrupts of that kind.
    pub(crate) fn interrupts(&self, kind: Interrupt, events: &[&Event]) -> Result<()> {
        let data = if events.is_empty() { NO_DATA } else { EVENTFD };
        self.set_interrupts(kind, data | TRIGGER, events.len(), events)
    }

    /// Masks the interrupt pin, or unmasks it.
    pub(crate) fn mask_pin(&self, masked: bool) -> Result<()> {
        let action = if masked { MASK } else { UNMASK };
        self.set_interrupts(Interrupt::Pin, NO_DATA | action, 1, &[])
    }

    fn set_interrupts(
        &self,
        kind: Interrupt,
        flags: u32,
        count: usize,
        events: &[&Event],
    ) -> Result<()> {
        let mut fds = [0; VECTORS];
        fds.iter_mut().zip(events).for_each(|(fd, event)| *fd = event.fd());
        let size_of = 20 + 4 * events.len() as u32;
        let (index, count) = (kind as u32, count as u32);
        let mut set = Interrupts { size_of, flags, index, start: 0, count, fds };
        ioctl(&self.file, request::INTERRUPTS, &mut set)
            .map_err(|error| Error::other(format!("{kind:?}: {error}")))
            .map(drop)
    }

    /// Resets the function.
    pub(crate) fn reset(&self) -> Result<()> {
        ioctl_value(&self.file, request::RESET, 0).map(drop)
    }

    /// The capability with this id from `from` on, or from the start of the list: where it is.
    pub(crate) fn capability(&self, id: u8, from: Option<u8>) -> Result<Option<u8>> {
        let next = |at: u8| self.config::<1>(u64::from(at)).map(|[next]| next & !3);
        let mut at = next(from.map_or(0x34, |at| at + 1))?;
        for _ in 0..48 {
            if at == 0 {
                break;
            }
            if self.config::<1>(u64::from(at))? == [id] {
                return Ok(Some(at));
            }
            at = next(at + 1)?;
        }
        Ok(None)
    }
}
