#!/bin/sh
# Makes the records that lack: all trainings of the course from three seeds; those whose accuracies are compared to a tenth of a
# percent from ten, with He's initial weights and with each framework's own; and candle as shipped, once.
#
#     MNIST_DIR=… PEERS_PYTHON=… sh notebooks/scores/measure.sh
#
# PEERS_PYTHON is a Python with the frameworks, by default that of peers/.venv. LAB_SCORES names another folder for the records.
# It takes two hours on two cores; what is there already is not made again.
set -eu
cd "$(dirname "$0")/.."
python=${PEERS_PYTHON:-peers/.venv/bin/python}
export LAB_SCORES="${LAB_SCORES:-$PWD/scores}"
export MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456
out=${OUT:-$(mktemp -d)}

# lacks RECORD SEED
lacks() {
    [ ! -e "$LAB_SCORES/$1-mnist-60000x6-seed$2.json" ]
}

# peer SCRIPT RECORD SEED [WEIGHTS]
peer() {
    lacks "$2" "$3" || return 0
    "$python" "peers/$1.py" --data "$MNIST_DIR" --seed "$3" --weights "${4:-he}" --scores "$LAB_SCORES" | tail -1
}

# notebook NOTEBOOK RECORD SEED
notebook() {
    lacks "$2" "$3" || return 0
    cargo run --release --quiet -- run "$1.ipynb" -p SEED "$3" --out "$out/seed$3"
}

for seed in 42 43 44; do
    notebook 05_keras_style candle-lab-keras-style-functional $seed
    notebook 06_torch_style candle-lab-torch-style $seed
    notebook 07_tensorflow_style candle-lab-tensorflow-style $seed
    notebook 08_tensorflow2_style candle-lab-tensorflow-2-style $seed
    notebook 09_burn burn-module $seed
    peer keras_sequential keras-sequential $seed
    peer keras_functional keras-functional $seed
    peer pytorch pytorch-module $seed
    peer tensorflow_native tensorflow-native-functions $seed
    peer tensorflow2 tensorflow-keras-layers-own-loop $seed
    peer pytorch pytorch-module-default-weights $seed default
    peer keras_sequential keras-sequential-default-weights $seed default
done
if lacks candle-as-shipped-cropped-pools 42; then
    cargo run --release --quiet -p lab --example shipped -- 42
fi
for seed in 45 46 47 48 49 50 51; do
    notebook 08_tensorflow2_style candle-lab-tensorflow-2-style $seed
    peer pytorch pytorch-module $seed
    peer pytorch pytorch-module-default-weights $seed default
done
