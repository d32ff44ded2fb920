#!/bin/sh
# cargo for evcxr. See cargo_for_evcxr.rs.
PATH=${PATH#*:} exec "$TAPER_PROGRAM" cargo-of-cells "$@"
