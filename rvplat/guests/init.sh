#!/bin/busybox sh
# The first process of rvplat's Debian guest. The kernel's command line selects what it does:
#   rvplat.run=shell       start a shell on the console; power off when it ends (the default)
#   rvplat.run=poweroff    print what machine this is, power off
#   rvplat.run=script rvplat.script="COMMANDS"    run the commands, print their status, power off
#   rvplat.run=kvm         check what KVM does, print a line for each check, power off (only with
#                          initrd-kvm.cpio, which `rvplat guest debian DIR --kvm` makes)
#   rvplat.run=nested      boot the same kernel again as a guest of KVM, power off (same condition);
#                          rvplat.vcpus=N, rvplat.memory=MIB, rvplat.append="ITS COMMAND LINE"
# rvplat.modules=a,b also loads these modules of /lib/modules.
b=/bin/busybox
export PATH=/bin HOME=/ TERM="${TERM:-vt100}"

$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
read -r cmdline < /proc/cmdline
fast="quiet cryptomgr.notests initcall_blacklist=jent_mod_init,check_unaligned_access_all_cpus"
fast="$fast,trace_eval_init,load_system_certificate_list"

# Print the value of `$1=` on the command line without quotes, or `$2` if it isn't there.
option() {
    case " $cmdline" in
    *" $1=\""*) value="${cmdline#*$1=\"}"; echo "${value%%\"*}" ;;
    *" \"$1="*) value="${cmdline#*\"$1=}"; echo "${value%%\"*}" ;;
    *" $1="*) value="${cmdline#*$1=}"; echo "${value%% *}" ;;
    *) echo "$2" ;;
    esac
}

# Load a module and its dependencies, which /lib/modules/NAME.order lists in order.
load() {
    [ -e "/lib/modules/$1.order" ] || return
    while read -r module; do
        [ -d "/sys/module/$module" ] || $b insmod "/lib/modules/$module.ko"
    done < "/lib/modules/$1.order"
}

load virtio_mmio
for device in /sys/bus/virtio/devices/*/device; do
    [ -e "$device" ] || continue
    read -r id < "$device"
    case "$id" in  # VIRTIO 1.2, section 5: device types
    0x0002) load virtio_blk ;;
    0x0004) load virtio_rng ;;
    esac
done
if [ -b /dev/vda ]; then
    load ext4
    $b mount -t ext4 /dev/vda /mnt 2> /dev/null && echo "rvplat: /dev/vda is mounted on /mnt"
fi
for module in $(option rvplat.modules "" | $b tr , ' '); do load "$module"; done

leave() {
    $b umount /mnt 2> /dev/null
    $b poweroff -f
}

# Load KVM, run a command, print its status, power off.
with_kvm() {
    load kvm
    [ -e "$1" ] || echo "rvplat: this initramfs has no guest for KVM: use initrd-kvm.cpio"
    "$@" < /dev/console
    echo "rvplat: kvm status $?"
    leave
}

echo "rvplat: nproc $($b nproc)"
echo "rvplat: uname $($b uname -a)"
case "$(option rvplat.run shell)" in
poweroff)
    leave
    ;;
script)
    $b --install -s /bin
    sh -c "$(option rvplat.script true)"
    echo "rvplat: script status $?"
    leave
    ;;
kvm)
    with_kvm /kvm/vmm check
    ;;
nested)
    with_kvm /kvm/vmm boot /kvm/Image /kvm/initrd.cpio "$(option rvplat.vcpus 1)" \
        "$(option rvplat.memory 256)" "$(option rvplat.append "$fast rvplat.run=poweroff")"
    ;;
*)
    $b --install -s /bin
    $b setsid $b cttyhack $b sh
    leave
    ;;
esac
