#!/bin/bash
# The demo's host side: a tap with an iperf3 server behind it, and Pando. Arguments: pando, kernel, initrd, platform.
set -eu
ip link set lo up
ip tuntap add dev pando0 mode tap multi_queue vnet_hdr
ip addr add 10.1.0.1/24 dev pando0
ip link set pando0 up
iperf3 --server --daemon >/dev/null
"$1" run --kernel "$2" --initrd "$3" --platform "$4" --on-reset exit --cmdline quiet
