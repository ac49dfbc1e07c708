#!/bin/sh
# The machine that the node is: process 1 of a process space of its own, with mounts of its own. When it ends, the kernel
# ends every container and lets go of every mount. Usage: node-machine.sh DIR KUBELET ARGS…
set -eu
dir=$1
shift
# What containerd and kubelet write at fixed places stays in here.
for place in /var/log /run/containerd /var/lib/cni; do
  mkdir -p "$place"
  mount -t tmpfs -o mode=755 edgedeck "$place"
done
containerd --config "$dir/containerd.toml" >"$dir/log/containerd.log" 2>&1 &
until ctr --address "$dir/containerd.sock" version >/dev/null 2>&1; do sleep 0.1; done
for image in "$dir"/images/*.tar; do
  case $image in *.layer.tar) continue ;; esac
  ctr --address "$dir/containerd.sock" --namespace k8s.io images import "$image"
done >"$dir/log/images.log" 2>&1
"$@" >"$dir/log/kubelet.log" 2>&1 &
# Reaps what the containers' keepers leave behind, too.
while :; do wait; sleep 1; done
