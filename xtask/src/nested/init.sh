#!/bin/busybox sh
# Init of the nested L1: mounts the host's file system, loads KVM, runs one job in it and reports its exit status.
/bin/busybox mkdir -p /proc /sys /dev /host
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

modprobe -a virtio_pci virtio_console 9p 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose host /host
modprobe -a kvm_amd tun vhost_net veth bridge

echo 1 >/proc/sys/vm/overcommit_memory # a guest may have more memory than L1, as long as it does not use it
echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled # a guest's page that is touched first costs 0.2 ms of emulation
ip link set lo up
mount -t proc proc /host/proc
mount -t sysfs sys /host/sys
mount -t devtmpfs dev /host/dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /host/dev/pts
mount -t tmpfs shm /host/dev/shm
mount -t tmpfs run /host/run
ln -s /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%:*}" "/dev/${n#*:}"; done

# port NAME: the device of a virtio-serial port
port() {
    for folder in /sys/class/virtio-ports/*; do
        if [ "$(cat "$folder/name")" = "$1" ]; then echo "/dev/${folder##*/}"; fi
    done
}

job=$(sed -n 's/.*pando\.job=\([^ ]*\).*/\1/p' /proc/cmdline)
exec 3<>"$(port control)"
{ cat <&3 >/dev/null; poweroff -f; } & # the host side is gone
echo started >&3
while sleep 20; do echo alive >&3; done &
if [ -e /dev/hvc0 ]; then
    stty "$(cat "/host$job/terminal")" -F /dev/hvc0 2>/dev/null
    setsid -c chroot /host /bin/bash "$job/run" 3<&- <>/dev/hvc0 >&0 2>&1
else
    chroot /host /bin/bash "$job/run" 3<&- <"$(port stdin)" >"$(port stdout)" 2>"$(port stderr)"
fi
status=$?
sync
echo "exit $status" >&3
sleep 60
poweroff -f
