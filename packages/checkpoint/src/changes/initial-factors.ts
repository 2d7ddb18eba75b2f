import { CapabilityError, featuresOf, type MethodTable } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { type MatchedModule, type MatchReport, readTensor, specialForm } from "@weft/adapter-files";
import { decomposeAll, sharedWithWorkers } from "./bounded-work.js";
import { inlineTensor, type MergeOp } from "../plan/tensor-job.js";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import type { ChangeOptions } from "./change.js";

/** A bound on the multiplications that decomposing a weight takes: a QR, a whole SVD, or at most 200 rounds of subspace iteration. */
function workOf({ layer, config }: MatchedModule): number {
  const { in: inputs, out } = featuresOf(layer!);
  const { r, initLoraWeights, kasaConfig } = config as {
    readonly r: number;
    readonly initLoraWeights: string;
    readonly kasaConfig: unknown;
  };
  const least = Math.min(inputs, out);
  if (kasaConfig) return 22 * inputs * out * least;
  return initLoraWeights === "olora" ? 4 * inputs * out * least : 800 * inputs * out * Math.min(least, r + Math.max(16, r));
}

/**
 * Steps that take s·B·A out of the base for an adapter whose initialisation (PiSSA, OLoRA), or KaSA, had done so before training, by path of the
 * module. The initial factors follow from the base weight: PEFT decomposes it again on loading, and so does this.
 * @throws CapabilityError kind `base-changed-by-init` for other initialisations, and if decomposing would take too long; CancelledError
 */
export async function initialSteps(
  base: WeightSource,
  { path, adapter }: ScaledAdapter,
  { matched, placements }: MatchReport,
  { unmerge, signal }: Pick<ChangeOptions, "unmerge" | "signal">,
): Promise<ReadonlyMap<string, MergeOp>> {
  const special = specialForm(adapter);
  if (special?.kind !== "base-changed-by-init") return new Map();
  const refusal = (why: string): CapabilityError =>
    new CapabilityError(`${path}: ${special.why}${why}`, {
      kind: "base-changed-by-init",
      file: `${path}/adapter_config.json`,
      hint: special.remedy,
    });
  if (placements.size > 0) throw refusal(`; the base does not hold ${placements.keys().next().value} in a tensor of its own`);
  if (unmerge || !special.determined) throw refusal("");
  return decomposeAll(
    matched,
    workOf,
    (module) => initialStep(base, adapter.methods, module),
    (why) => refusal(`; to find how, ${why}`),
    signal,
  );
}

async function initialStep(base: WeightSource, methods: MethodTable, { method, config, weight, layer }: MatchedModule): Promise<MergeOp> {
  const removed = await methods.get(method)!.method!.removed!(config as never, layer!, await readTensor(base, weight));
  const factors = Object.entries(removed!.params).map(async ([name, tensor]) => {
    return [name, inlineTensor({ values: sharedWithWorkers((await tensor.data()) as Float32Array), shape: tensor.shape })] as const;
  });
  return {
    kind: "initial",
    method,
    config: removed!.config,
    layer: layer!,
    scale: -1,
    safeMerge: false,
    autocastAdapterDtype: true,
    params: Object.fromEntries(await Promise.all(factors)),
  };
}
