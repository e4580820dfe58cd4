#!/usr/bin/env bash
# Run tests, or any Python command, on an emulated aarch64 processor: Debian's Python and the wheels of that architecture under qemu.
#
#     stress/aarch64.sh -m pytest -q tests/test_schedule_engine.py --timeout 3000
#     stress/aarch64.sh -m vmconc explore account
#
# Needs Debian, root and a network the first time (about 400 MB in $VMCONC_AARCH64, default ~/.cache/vmconc-aarch64).  Compiling
# takes about ten times as long as on the machine itself.  The emulator keeps the host's order of memory accesses, so this shows
# that the code is right for the architecture, not that it needs no barrier.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${VMCONC_AARCH64:-$HOME/.cache/vmconc-aarch64}
root=$home/root site=$home/site

if [ ! -e "$home/.ready" ]; then
    mkdir -p "$root" "$site"
    apt-get update -qq
    apt-get install -y -qq qemu-user-static debootstrap
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,libpython3.11 bookworm "$root" >"$home/debootstrap.log"
    for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    python3 -m pip install -q --target "$site" --only-binary=:all: --python-version 3.11 --implementation cp \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 \
        $(python3 -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*(r.replace(" ", "") for r in p["dependencies"] + p["optional-dependencies"]["test"]))')
    touch "$home/.ready"
fi

export PYTHONPATH=$PWD:$site PYTHONHOME=$root/usr VMCONC_CACHE=$home/cache
exec qemu-aarch64-static -L "$root" "$root/usr/bin/python3.11" "$@"
