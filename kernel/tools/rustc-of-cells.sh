#!/bin/sh
# The compiler of cells; cargo gives it rustc and its arguments. See types.rs and diagnostics.rs.
case " $* " in
*" --crate-name ctx "*) ;;
*) exec "$@" ;;
esac
# When evcxr only checks a cell it writes `Result` and means std's, but notebooks like to import another one. What
# reports the error of a `?` is to know which `?` it was.
sed -e 's/^) -> Result<(), EvcxrUserCodeError> {/) -> ::std::result::Result<(), EvcxrUserCodeError> {/' \
  -e 's/^ *fn from(error: T) -> Self {/#[track_caller] &/' src/lib.rs >src/lib.rs.new && mv src/lib.rs.new src/lib.rs
# Asked for types, rustc must spell them out: with full paths and never shortened.
[ -n "$TAPER_SPELL_TYPES" ] && RUSTC_BOOTSTRAP=1 exec "$@" -Ztrim-diagnostic-paths=no --verbose
# The lines of backtraces cost next to nothing.
"$@" -Cdebuginfo=line-tables-only -Cstrip=none 2>diagnostics.$$
status=$?
cat diagnostics.$$ >&2
mv diagnostics.$$ diagnostics.json
exit $status
