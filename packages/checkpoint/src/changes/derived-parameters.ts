import { CapabilityError, type Params, type Tensor, type WeftErrorKind } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import {
  type AdapterTensor,
  type MatchedModule,
  type MatchReport,
  moduleIndex,
  moduleOrder,
  readAdapterTensor,
  readTensor,
} from "@weft/adapter-files";
import { decomposeAll, sharedWithWorkers } from "./bounded-work.js";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import type { ChangeOptions } from "./change.js";
import { inlineTensor, type TensorLocation } from "../plan/tensor-job.js";

/** What a module's step has beside the tensors of the file. */
export interface DerivedStep {
  readonly params: { readonly [name: string]: TensorLocation };
  readonly config: object;
}

/**
 * The parameters of an adapter's modules that no file holds, because they follow from the base weight or from the module's place, by path of the module.
 * @throws CapabilityError if they do not follow, if finding them takes too long, or if the base is a merged checkpoint, in which the base weight is no more
 */
export async function derivedSteps(
  base: WeightSource,
  { path: file, adapter }: ScaledAdapter,
  report: MatchReport,
  { unmerge, signal, model }: Pick<ChangeOptions, "unmerge" | "signal" | "model">,
): Promise<ReadonlyMap<string, DerivedStep>> {
  const derived = adapter.methods.get(adapter.method)?.method?.derived;
  if (!derived) return new Map();
  const refusal = (kind: WeftErrorKind<"capability">, why: string, hint: string): CapabilityError =>
    new CapabilityError(`${file}: ${adapter.method} computes with parameters that follow from the base weights; ${why}`, {
      kind,
      file,
      hint,
    });
  const shared = await readAll(
    [...report.shared].flatMap(([name, p]) => ("tensor" in p ? [[name, p.tensor] as const] : [])),
    adapter.weights,
  );
  const order = moduleOrder(
    model?.model_type,
    report.matched.map(({ path }) => path),
  );
  const place = moduleIndex(report.matched, order);
  const read = (name: string): Promise<Tensor> => {
    if (unmerge) throw refusal("not-unmergeable", "the merged checkpoint does not have those any more", "keep the base checkpoint");
    return readTensor(base, name);
  };
  const derive = async ({ path, weight, bias, layer, config, tensors }: MatchedModule): Promise<DerivedStep> => {
    const origin = { path, weight: () => read(weight), bias: () => (bias === undefined ? undefined : read(bias)), ...place(path) };
    const loaded = { ...shared, ...(await readAll(tensors, adapter.weights)) };
    const found = await derived.derive(config as never, layer!, origin, loaded, false);
    return { params: await stored(found.params), config: found.config ?? config };
  };
  const workOf = ({ layer, config }: MatchedModule): number => derived.work(config as never, layer!);
  const tooLong = (why: string): CapabilityError =>
    refusal("too-long", why, "load it on a model in a program and save what mergeAndUnload gives: there is no bound there");
  const known = report.matched.filter(({ layer }) => layer !== undefined);
  return decomposeAll(known, workOf, derive, tooLong, signal);
}

async function readAll(tensors: Iterable<readonly [string, AdapterTensor]>, weights: WeightSource): Promise<Params> {
  return Object.fromEntries(
    await Promise.all([...tensors].map(async ([name, tensor]) => [name, await readAdapterTensor(weights, tensor)] as const)),
  );
}

async function stored(params: Params): Promise<{ [name: string]: TensorLocation }> {
  const entries = Object.entries(params).map(async ([name, tensor]) => {
    const values = sharedWithWorkers((await tensor.data()) as Float32Array | Int32Array);
    return [name, inlineTensor({ values, shape: tensor.shape })] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
