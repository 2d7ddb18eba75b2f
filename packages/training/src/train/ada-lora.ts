import { type AdaLoraConfigFields, type AdaLoraParams, orthogonalRegularizer, RankAllocator } from "@weft/adapters-lora";
import { type AdapterParameters, PeftModel } from "@weft/registry";
import { flattenTree, type Tensor, unflattenTree } from "@weft/tensor-core";
import type { MethodHooks } from "./step.js";
import type { Trainee } from "./trainee.js";

/** What AdaLoRA does besides training: a regulariser in the loss, and ranks that are given anew after each step. */
export interface RankAllocation extends MethodHooks {
  /** What it has learnt so far, for a checkpoint; empty before the first step. */
  state(): ReadonlyMap<string, Tensor>;
  /** Goes on from that. @throws FormatError kind `bad-checkpoint` for that of another adapter */
  restore(state: ReadonlyMap<string, Tensor>, params: AdapterParameters): Promise<void>;
  /** The parameters after step number `step` (from 1 on), given those and the gradients that the step has used. */
  after(step: number, params: AdapterParameters, grads: readonly Tensor[]): Promise<AdapterParameters>;
}

/** The modules that AdaLoRA adapts, without what is trained whole. */
const triplets = ({ layers }: AdapterParameters): AdaLoraParams =>
  Object.fromEntries(Object.entries(layers).filter(([, params]) => params["E"]));

/** Of an AdaLoRA; undefined for any other method. @throws ConfigError if its `total_step` does not go with `tinit` and `tfinal` */
export function rankAllocation(trainee: Trainee): RankAllocation | undefined {
  if (!(trainee instanceof PeftModel)) return undefined;
  const { config } = trainee.state(trainee.activeAdapters[0]!);
  if (config.peftType !== "ADALORA") return undefined;
  const fields = config.values as unknown as AdaLoraConfigFields;
  const allocator = new RankAllocator(fields);
  return {
    keepsGradients: true,
    regularizer: (params) => orthogonalRegularizer(fields, triplets(params)),
    state: () => allocator.state(),
    restore: (state, params) => allocator.restore(state, triplets(params)),
    async after(step, params, grads) {
      const tree = unflattenTree(flattenTree(params).structure, grads) as AdapterParameters;
      const masked = await allocator.update(step, triplets(params), triplets(tree));
      const layers = Object.entries(params.layers).map(([path, own]) => [path, masked[path] ? { ...own, E: masked[path] } : own] as const);
      return { ...params, layers: Object.fromEntries(layers) };
    },
  };
}
