import type { NormSpec } from "@weft/tensor-core";

/** What a module of the model is. Adapters attach to all kinds but `other`. */
export interface ModuleDescription {
  readonly kind: "linear" | "conv1d" | "embedding" | "norm" | "attention" | "block" | "other";
  /** Features in and out: embedding vocabulary → hidden, convolution channels; norms, attentions and blocks keep them; 0 for `other`. */
  readonly in: number;
  readonly out: number;
  readonly bias: boolean;
  /** The layer that gives the logits; PEFT's `all-linear` leaves it out. */
  readonly outputEmbedding?: boolean;
  /** The weight is stored [in, out], as transformers' Conv1D does. */
  readonly transposed?: boolean;
  /** Of a norm. */
  readonly norm?: NormSpec;
  /** Taps of a convolution whose every channel has its own filter; it runs over inputs that have what stood before in front of them. */
  readonly kernel?: number;
}

/** Modules by path, in the order of `named_modules()` of the Python model. */
export type NamedModules = Iterable<readonly [path: string, module: ModuleDescription]>;

/** What only contains, or computes without parameters. */
export const other: ModuleDescription = { kind: "other", in: 0, out: 0, bias: false };
export const linear = (from: number, to: number, bias = false): ModuleDescription => ({ kind: "linear", in: from, out: to, bias });
/** transformers' Conv1D, which is no convolution: a linear layer whose weight is stored [in, out]. */
export const conv1D = (from: number, to: number): ModuleDescription => ({ ...linear(from, to, true), transposed: true });
export const embedding = (vocabulary: number, size: number): ModuleDescription => ({
  kind: "embedding",
  in: vocabulary,
  out: size,
  bias: false,
});
const same = (kind: ModuleDescription["kind"], size: number): ModuleDescription => ({ kind, in: size, out: size, bias: false });
export const attentionOf = (size: number): ModuleDescription => same("attention", size);
export const blockOf = (size: number): ModuleDescription => same("block", size);
/** @param more `groups`: parts of the last axis that are normalised each by itself; `offset`: what is added to the weight */
export const rmsNormOf = (
  size: number,
  eps: number,
  more: { readonly groups?: number; readonly offset?: number } = {},
): ModuleDescription => ({
  ...same("norm", size),
  norm: { kind: "rms", eps, ...more },
});
export const layerNormOf = (size: number, eps: number): ModuleDescription => ({
  ...same("norm", size),
  bias: true,
  norm: { kind: "layer", eps },
});
/** A convolution over time in which every channel sees itself alone. */
export const depthwise = (channels: number, kernel: number, bias: boolean): ModuleDescription => ({
  ...same("conv1d", channels),
  bias,
  kernel,
});

/** Names and shapes of the parameters of modules. */
export function parametersOf(modules: NamedModules): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const [path, { kind, in: from, out: to, bias, transposed, kernel }] of modules) {
    if (kind === "linear") shapes.set(`${path}.weight`, transposed ? [from, to] : [to, from]);
    if (kind === "conv1d") shapes.set(`${path}.weight`, [to, 1, kernel!]);
    if (kind === "embedding") shapes.set(`${path}.weight`, [from, to]);
    if (kind === "norm") shapes.set(`${path}.weight`, [to]);
    if (bias) shapes.set(`${path}.bias`, [to]);
  }
  return shapes;
}
