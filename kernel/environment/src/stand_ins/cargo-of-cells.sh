#!/bin/sh
# cargo for evcxr. See compile.rs.
PATH=${PATH#*:} exec "$TAPER_PROGRAM" cargo-of-cells "$@"
