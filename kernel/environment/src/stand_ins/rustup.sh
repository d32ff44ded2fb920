#!/bin/sh
# evcxr asks rustup for cargo, and is given one that is faster for cells. See cargo_for_evcxr.rs. In a shared
# install the compiler is that of those who made it. See toolchain.rs and shared.rs.
[ "$*" = "which cargo" ] && echo "${0%/path/rustup}/cargo-of-cells" && exit
[ "$*" = "which rustc" ] && [ "$TAPER_RUSTC" ] && echo "$TAPER_RUSTC" && exit
PATH=${PATH#*:} exec rustup "$@"
