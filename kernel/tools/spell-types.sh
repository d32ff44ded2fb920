#!/bin/sh
# Compiles a cell so that error messages spell out types: with full paths and never shortened. See types.rs.
case " $* " in
*" --crate-name "*) RUSTC_BOOTSTRAP=1 exec "$@" -Ztrim-diagnostic-paths=no --verbose ;;
*) exec "$@" ;;
esac
