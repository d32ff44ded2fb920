#!/bin/sh
# `rustc` for the cargo that builds cells with dependencies: see cargo_for_evcxr.rs.
exec "$TAPER_PROGRAM" rustc-of-cells "$@"
