import { type Coverage, refusals } from "@weft/datasets";
import { CapabilityError, ConfigError, DeviceError, IoError, WeftError, type WeftErrorKind } from "@weft/tensor-core";

/** A failure of a training with what to do about it: the checkpoint to go on from, or how to need less memory. */
export function advised(error: unknown, checkpoint: string | undefined): unknown {
  const kept = checkpoint === undefined ? "" : `; the last good checkpoint is ${checkpoint}: --resume goes on from it`;
  if (error instanceof RangeError || (error instanceof WeftError && /memory/.test(error.kind ?? "")))
    return new CapabilityError(`out of memory: ${error.message}`, {
      kind: "training-memory",
      hint: `lower --batch-size or --max-length, or add --gradient-checkpointing: --dry-run tells what each takes${kept}`,
      cause: error,
    });
  if (!(error instanceof WeftError)) return error;
  const { kind, message, file } = error;
  if (kind === "non-finite-loss") return new ConfigError(message, { kind, hint: `lower --lr, or add --warmup${kept}`, cause: error });
  if (kind === "training-option" && message.includes("follows evaluations"))
    return new ConfigError(message, { kind, hint: "give --eval-data or --eval-share, or another --schedule", cause: error });
  if (kind === "settings-changed") {
    const hint = "give those of the checkpoint, or --allow-changed-settings; without --resume and with --force it begins anew";
    return new ConfigError(message, { kind, hint, cause: error });
  }
  if (kind === "device-lost")
    return new DeviceError(message, { kind, hint: `smaller batches (--batch-size), or --device cpu${kept}`, cause: error });
  if (error.code === "io" && checkpoint !== undefined)
    return new IoError(message, {
      kind: error.kind as WeftErrorKind<"io">,
      file,
      hint: `free space, or mend the disk${kept}`,
      cause: error,
    });
  return error;
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
