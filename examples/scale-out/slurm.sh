#!/usr/bin/env bash
# bash slurm.sh PLAN OUT N: submits an array of N jobs, each a share of the plan, and a job that finishes when all have succeeded.
set -euo pipefail
plan=$1 out=$2 of=$3
weft=${WEFT:-weft}

shares=$(sbatch --parsable --job-name weft-shares --array "0-$((of - 1))" --cpus-per-task 2 --mem 384M --requeue \
  --wrap "$weft run '$plan' --index \$SLURM_ARRAY_TASK_ID --of $of -o '$out' --jobs \$SLURM_CPUS_PER_TASK")
sbatch --job-name weft-finish --dependency "afterok:$shares" --cpus-per-task 1 --mem 384M --wrap "$weft run '$plan' --finish -o '$out'"
