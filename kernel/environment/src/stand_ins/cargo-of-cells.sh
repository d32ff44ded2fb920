#!/bin/sh
# `cargo` for evcxr: see cargo_for_evcxr.rs.
PATH=${PATH#*:} exec "$TAPER_PROGRAM" cargo-of-cells "$@"
