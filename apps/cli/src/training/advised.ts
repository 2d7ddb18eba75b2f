import { type Coverage, refusals } from "@weft/datasets";
import { CapabilityError, ConfigError, WeftError, type WeftErrorKind } from "@weft/tensor-core";

/** A failure of a training with what to do about it: the checkpoint to go on from, or how to need less memory. */
export function advised(error: unknown, checkpoint: string | undefined): unknown {
  const kept = checkpoint === undefined ? "" : `; the last good checkpoint is ${checkpoint}: --resume goes on from it`;
  if (error instanceof WeftError && error.kind === "non-finite-loss")
    return new ConfigError(error.message, { kind: "non-finite-loss", hint: `lower --lr, or add --warmup${kept}`, cause: error });
  const isMemory = error instanceof RangeError || (error instanceof WeftError && /memory/.test(error.kind ?? ""));
  if (!isMemory) return error;
  return new CapabilityError(`out of memory: ${error.message}`, {
    kind: "training-memory",
    hint: `lower --batch-size or --max-length, or add --gradient-checkpointing${kept}`,
    cause: error,
  });
}

/** What to do about data that are refused, in words of the command line. */
const HINTS: { readonly [kind: string]: string } = {
  "dataset-empty": "check the file, and --eval-share",
  "nothing-trained": "--dry-run shows examples: check roles and --mask, and whether --max-length cuts the answers off",
  "end-never-trained": "--dry-run shows examples: the template must end answers with a token, and --max-length must not cut it off",
};

/** @throws ConfigError for data that would be trained on in vain */
export function assertUseful(coverage: Coverage): void {
  const [refusal] = refusals(coverage);
  if (refusal)
    throw new ConfigError(refusal.message, { kind: refusal.kind as WeftErrorKind<"config">, hint: HINTS[refusal.kind!], cause: refusal });
}
