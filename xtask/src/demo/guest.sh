# The demo as the guest runs it; `shell` and `colours` are set before.
emit() { :; }
# A failure is a reset instead of a power-off, which Pando's exit status tells.
trap 'if [ "$?" != 0 ]; then echo "the demo failed at $where" && reboot -f; fi' EXIT

paint() { if [ "$colours" = 1 ]; then printf '\e[%sm%s\e[0m\n' "$1" "$2"; else echo "$2"; fi; }
title() { echo && paint "1;36" "== $*"; }
show() { paint 2 "# $*" && "$@"; }
row() { printf '%-42s %20s\n' "$1" "$2" | tee -a /tmp/summary >/dev/null; }

title "Linux $(uname -r), up after $(cut -d' ' -f1 /proc/uptime) s, sees this tree"
show lspci
show lspci -t
nic=$(pf)
row "VFs that the card offers" "$(cat "/sys/bus/pci/devices/$nic/sriov_totalvfs")"

title "The card $nic gets virtual functions"
start=${EPOCHREALTIME/./}
paint 2 "# echo 7 >/sys/bus/pci/devices/$nic/sriov_numvfs"
set_vfs "$nic" 7
row "time to enable 7 VFs, drivers bound" "$(((${EPOCHREALTIME/./} - start) / 1000)) ms"
show ip -br link
show lspci -t

title "Two of them move into network namespaces and talk"
into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
reaches a 10.0.0.2 >/dev/null
show within a ping -c 3 -i 0.2 10.0.0.2
serve b
rate=$(throughput a 10.0.0.2)
row "VF to VF, TCP" "$rate Mbit/s"
echo "iperf3, VF to VF: $rate Mbit/s"

title "The physical function talks to the host through the card's uplink"
into p "$(netdev "$nic")" 10.1.0.2/24
reaches p 10.1.0.1 >/dev/null
show within p ping -c 3 -i 0.2 10.1.0.1
rate=$(throughput p 10.1.0.1)
row "PF to the uplink, TCP" "$rate Mbit/s"
echo "iperf3, PF to the host: $rate Mbit/s"

title "A third VF is reset (FLR) while the two go on"
victim=$(vf "$nic" 2)
begin_pings a 10.0.0.2
echo "$victim" >/sys/bus/pci/drivers/virtio-pci/unbind
for round in {1..8}; do
    paint 2 "# echo 1 >/sys/bus/pci/devices/$victim/reset"
    echo 1 >"/sys/bus/pci/devices/$victim/reset"
done
echo "$victim" >/sys/bus/pci/drivers/virtio-pci/bind
end_pings | tee /tmp/loss
row "pings between the two during 8 resets" "$(cat /tmp/loss)"
into c "$(netdev "$victim")" 10.0.0.3/24
reaches c 10.0.0.1 >/dev/null
row "the third VF after its resets" "works"
grep -q ", 0 lost$" /tmp/loss

title "Summary"
cat /tmp/summary
if [ "$shell" = 1 ]; then
    title "A shell in the guest; exit ends the demo"
    stty echo
    PS1='guest# ' setsid -c bash --norc -i </dev/ttyS0 >/dev/ttyS0 2>&1 || true
fi
