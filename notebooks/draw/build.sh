#!/bin/sh
# Compiles this crate to WebAssembly, and puts it into `lab` as text. Wants: rustup target add wasm32-unknown-unknown
#
#     build.sh           makes ../lab/src/draw/module.js
#     build.sh digest    prints the digest of what it is made from, which a test compares
set -eu
cd "$(dirname "$0")/../.."

digest() {
  {
    find notebooks/draw notebooks/lab/ops notebooks/lab/parallel -type f ! -path '*/tests*' ! -name models.rs |
      LC_ALL=C sort | xargs cat
    grep -A 1 -E '^name = "(candle-core|candle-nn|gemm-f32|pulp)"$' Cargo.lock
  } | if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

if [ "${1-}" = digest ]; then
  digest
  exit
fi
# The repository's workspace, but with resolver 2, which resolves features for this target alone. With its own resolver 1, `pulp`
# would have those that `gemm` asks for on other processors, among them relaxed vectors, which not every browser has.
workspace=$PWD/target/page-workspace
rm -rf "$workspace"
mkdir -p "$workspace"
ln -s "$PWD/kernel" "$PWD/notebooks" "$PWD/tests" "$workspace"
cp Cargo.lock "$workspace"
sed 's/^resolver = "1"$/resolver = "2"/' Cargo.toml >"$workspace/Cargo.toml"
# Messages of panics keep the paths of sources, but not those of this machine.
flags="-Ctarget-feature=+simd128 --cfg getrandom_backend=\"wasm_js\" --remap-path-prefix=$workspace="
for folder in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/* "$(rustc --print sysroot)"; do
  flags="$flags --remap-path-prefix=$folder="
done
RUSTFLAGS="$flags" cargo rustc --locked --manifest-path "$workspace/Cargo.toml" --target-dir target \
  --package draw --lib --crate-type cdylib --profile page --target wasm32-unknown-unknown
module=target/wasm32-unknown-unknown/page/draw.wasm
cat >notebooks/lab/src/draw/module.js <<END
// Made by notebooks/draw/build.sh from sources with the SHA-256 $(digest).
const MODULE =
  "$(gzip -9 -n -c "$module" | base64 | tr -d '\n')";
END
wc -c "$module" notebooks/lab/src/draw/module.js
