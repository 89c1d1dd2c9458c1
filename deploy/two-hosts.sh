#!/bin/bash
# Two hosts on one machine: network namespaces with a wire between them, one rank of torchrun in each.
# What it shows holds for real hosts: give each the same command, with its own --local-addr.
#
#   sudo deploy/two-hosts.sh RUN_DIRECTORY [PYTHON]
#
# RUN_DIRECTORY holds snapshot/ and recipe.json, as `labelwright-train run` lays them out.
set -euo pipefail
run=$(realpath "${1:?give the directory of a run: snapshot/ and recipe.json}")
python=${2:-python}
first=10.77.0.1 second=10.77.0.2 port=29578

ip netns add labelwright-one
ip netns add labelwright-two
trap 'ip netns del labelwright-one; ip netns del labelwright-two' EXIT
ip link add wire-one netns labelwright-one type veth peer name wire-two netns labelwright-two
for host in one two; do
    ip -n "labelwright-$host" link set lo up
    ip -n "labelwright-$host" link set "wire-$host" up
done
ip -n labelwright-one addr add "$first/24" dev wire-one
ip -n labelwright-two addr add "$second/24" dev wire-two

# The ranks need no common disk: rank 0 alone reads and writes --out.
rank() { # host address is-the-rendezvous
    ip netns exec "labelwright-$1" env \
        GLOO_SOCKET_IFNAME="wire-$1" OMP_NUM_THREADS=1 TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 \
        "$python" -m torch.distributed.run --nnodes=2 --nproc-per-node=1 \
        --rdzv-backend=c10d --rdzv-id="$(basename "$run")" --rdzv-endpoint="$first:$port" \
        --rdzv-conf=is_host="$3" --local-addr="$2" \
        -m training.fit --recipe "$run/recipe.json" --snapshot "$run/snapshot" --out "$run/fit"
}
rank one "$first" 1 &
one=$!
rank two "$second" 0 &
two=$!
wait "$one"
wait "$two"
echo "fitted on two hosts: $run/fit"
