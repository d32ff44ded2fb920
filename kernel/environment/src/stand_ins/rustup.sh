#!/bin/sh
# evcxr asks rustup for the path of cargo, and gets the script that is faster for cells: see cargo_for_evcxr.rs. In a shared
# install, rustc is the one that was installed with it: see toolchain.rs.
[ "$*" = "which cargo" ] && echo "${0%/path/rustup}/cargo-of-cells" && exit
[ "$*" = "which rustc" ] && [ "$TAPER_RUSTC" ] && echo "$TAPER_RUSTC" && exit
PATH=${PATH#*:} exec rustup "$@"
