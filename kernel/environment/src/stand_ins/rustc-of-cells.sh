#!/bin/sh
# rustc for the cargo that builds cells with dependencies. See compile.rs.
exec "$TAPER_PROGRAM" rustc-of-cells "$@"
