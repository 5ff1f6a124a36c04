#!/usr/bin/env bash
# Training steps of mt5-base and mt5-large on one GPU, bfloat16, packed, beside Hugging Face's mT5
# compiled with its best attention (if torch with CUDA and transformers are installed):
#
#   bash scripts/gpu_benchmark.sh [FOLDER]
#
# prints a table for each model and length and writes it to FOLDER (runs/gpu_benchmark) as JSON.
# It needs jax[cuda12]; without a GPU it measures the processor. The settings are below.
set -euo pipefail

folder=${1:-runs/gpu_benchmark}
models=${MODELS:-mt5_base mt5_large}
lengths=${LENGTHS:-1024/128 512/128}  # inputs/targets
batch_size=${BATCH_SIZE:-}            # 64, of mt5_large 32: PyTorch must have room, too
packed=${PACKED:-4}                   # examples in a row
repeats=${REPEATS:-5}
in_a_row=${IN_A_ROW:-10}              # steps begun before the last has ended, as in training
against=${AGAINST-huggingface}
dtype=${DTYPE:-bfloat16}

# PyTorch needs its share of the memory.
export XLA_PYTHON_CLIENT_PREALLOCATE=false

mkdir -p "$folder"
for model in $models; do
  rows=64
  if [[ $model == mt5_large ]]; then rows=32; fi
  for length in $lengths; do
    mt5x benchmark step --model "$model" --dtype "$dtype" --batch_size "${batch_size:-$rows}" \
      --inputs "${length%/*}" --targets "${length#*/}" --packed "$packed" \
      --against $against --repeats "$repeats" --in_a_row "$in_a_row" \
      --json "$folder/$model.${length/\//_}.json"
  done
done
