import { bitsPerElement, parseDType } from "@weft/io-safetensors";
import { type MethodTable, type ParameterSpec, sizeOf } from "@weft/tensor-core";
import type { OpenedAdapter } from "../opened-adapter.js";
import type { BaseTensors } from "./base-index.js";
import { assertMatch } from "./describe-report.js";
import { matchAdapter } from "./match-adapter.js";
import type { MatchReport } from "./match-report.js";

/** Bytes that a model with an adapter takes, before any of it is read. */
export interface MemoryEstimate {
  /** The model's weights as they are stored. */
  readonly base: number;
  /** The adapter's parameters in f32, as they are computed with, and what it replaces. */
  readonly adapter: number;
  /** Merging into memory: new versions of the weights that change, beside the old ones. */
  readonly merge: number;
  /** Training: the gradient and AdamW's two moments of every trained value, in f32. Activations come on top; `explain` of a step has them. */
  readonly training: number;
}

const F32_BYTES = 4;
/** A gradient and two moments. */
const TRAINING_COPIES = 3;

/**
 * What a model and an adapter on it take, out of their headers.
 * @throws MatchError, ShapeError if the adapter does not fit the base
 */
export async function estimateMemory(base: BaseTensors, adapter?: OpenedAdapter): Promise<MemoryEstimate> {
  const bytes = (name: string): number => {
    const { dtype, shape } = base.info(name);
    return (sizeOf(shape) * bitsPerElement(parseDType(dtype)!)) / 8;
  };
  const weights = [...base.names()].reduce((sum, name) => sum + bytes(name), 0);
  if (!adapter) return { base: weights, adapter: 0, merge: 0, training: 0 };
  const report = await matchAdapter(adapter, base);
  assertMatch(report, adapter);
  const own = report.matched.flatMap(({ tensors }) => [...tensors.values()]);
  const shared = [...report.shared.values()].map((p) => ("tensor" in p ? p.tensor : p));
  const replaced = report.replaced.map(({ tensor }) => tensor);
  const elements = (tensors: readonly { readonly shape: readonly number[] }[]): number =>
    tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const rows = report.tokens.map(({ tensor }) => tensor);
  return {
    base: weights,
    adapter: F32_BYTES * elements([...own, ...shared, ...replaced, ...rows]),
    merge: changedTensors(report).reduce((sum, name) => sum + bytes(name), 0),
    training: TRAINING_COPIES * F32_BYTES * (trainedElements(report, adapter.methods) + elements([...replaced, ...rows])),
  };
}

/** Tensors of the base that hold the weights that the adapter changes. */
function changedTensors({ matched, tokens, placements }: MatchReport): string[] {
  const names = [...matched, ...tokens].flatMap(({ weight }) => placements.get(weight)?.parts.map(({ tensor }) => tensor) ?? [weight]);
  return [...new Set(names)];
}

function trainedElements({ matched }: MatchReport, methods: MethodTable): number {
  const trained = (specs: { readonly [name: string]: ParameterSpec }): number =>
    Object.values(specs).reduce((sum, { shape, trainable }) => sum + (trainable ? sizeOf(shape) : 0), 0);
  const own = matched.map(({ method, config, layer }) => {
    const definition = methods.get(method)?.method;
    return definition && layer ? trained(definition.parameters(config as never, layer)) : 0;
  });
  const [first] = matched;
  const shared = first && methods.get(first.method)?.method?.shared;
  const modules = matched.flatMap(({ path, layer }) => (layer ? [{ path, layer }] : []));
  return own.reduce((a, b) => a + b, 0) + (shared ? trained(shared.parameters(first.config as never, modules)) : 0);
}
