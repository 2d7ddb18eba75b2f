import { add, cast, concat, mul, pad, reshape, ShapeError, slice, stack, type Tensor, transpose, where, zeros } from "@weft/tensor-core";
import type { CacheOptions } from "../causal/cache.js";
import type { CausalOutput } from "../causal/causal-lm.js";
import { type CausalInputs, keptStates, withVirtualTokens } from "../causal/inputs.js";
import type { LayerHook } from "../hooks.js";
import { Model, type ModelOptions, type RunLayer, type Tied } from "../model.js";
import { blockOf, embedding, linear, type ModuleDescription, other, rmsNormOf } from "../modules.js";
import { recurrentMask, runBlocks, statesOf } from "../recurrent.js";
import { reaches, type Segments, segmentsOf } from "../segments.js";
import type { Weights } from "../weights.js";
import type { MambaBase } from "./config.js";

/** What a block keeps between passes: the last inputs of the convolution [B, channels, kernel − 1], and the states of the recurrence. */
export type MambaState = { readonly conv: Tensor; readonly ssm: Tensor };

/** Which steps of the rows count, [B, T, 1], and where documents begin in them. */
export interface Rows {
  readonly mask: Tensor | undefined;
  readonly segments: Segments | undefined;
}

/** What a mixer computes from [B, T, hidden]. */
export interface Mixed {
  readonly y: Tensor;
  readonly state: MambaState;
}

/** The modules around the mixers of both generations. @param mixer modules inside of a mixer, in torch's order */
export function* mambaModules(
  c: MambaBase,
  mixer: Iterable<readonly [name: string, module: ModuleDescription]>,
): Generator<[path: string, module: ModuleDescription]> {
  const inside = [...mixer];
  yield ["backbone", other];
  yield ["backbone.embeddings", embedding(c.vocabSize, c.hiddenSize)];
  yield ["backbone.layers", other];
  for (let i = 0; i < c.layers; i++) {
    const block = `backbone.layers.${i}`;
    yield [block, blockOf(c.hiddenSize)];
    yield [`${block}.norm`, rmsNormOf(c.hiddenSize, c.normEps)];
    yield [`${block}.mixer`, other];
    for (const [name, module] of inside) yield [`${block}.mixer.${name}`, module];
  }
  yield ["backbone.norm_f", rmsNormOf(c.hiddenSize, c.normEps)];
  yield ["lm_head", { ...linear(c.hiddenSize, c.vocabSize), outputEmbedding: true }];
}

export const mambaTied = ({ tieWordEmbeddings }: MambaBase): Tied | undefined =>
  tieWordEmbeddings ? ["lm_head.weight", "backbone.embeddings.weight"] : undefined;

/** Files of the original program call the embeddings by another name. */
export const mambaAliases = (name: string): string[] => (name === "backbone.embeddings.weight" ? ["backbone.embedding.weight"] : []);

/** Mamba of either generation: a stack of mixers, x + mixer(RMSNorm(x)). */
export abstract class MambaModel<Config extends MambaBase> extends Model<Config> {
  constructor(config: Config, weights: Weights, options: ModelOptions, modules: ReturnType<typeof mambaModules>) {
    super(config, weights, options, modules, mambaTied(config));
  }

  /** Shapes of the states of one block, for so many rows. */
  protected abstract stateShapes(batch: number): { readonly conv: readonly number[]; readonly ssm: readonly number[] };

  protected abstract mix(path: string, x: Tensor, run: RunLayer, state: MambaState, rows: Rows): Mixed;

  /** Logits and hidden states (the result of each block, then after the last norm, as transformers), lazily. */
  forward(inputs: CausalInputs, hook?: LayerHook): CausalOutput<MambaState> {
    const run = this.runner(hook);
    const batch = inputs.inputIds.shape[0]!;
    const states = statesOf(inputs, this.emptyCache({ batch }));
    const embedded = withVirtualTokens(run("backbone.embeddings", inputs.inputIds), inputs.virtualTokens);
    if (embedded.shape[1] === 0) throw new ShapeError("forward: inputIds is empty, expected a token at least");
    const mask = recurrentMask(inputs, batch, embedded.shape[1]!);
    const segments = segmentsOf(inputs, batch, embedded.shape[1]!);
    const start = this.config.residualInF32 ? cast(embedded, "f32") : embedded;
    const pathOf = (i: number): string => `backbone.layers.${i}`;
    const { results, after } = runBlocks(start, states, run, pathOf, (i, x) => {
      const { y, state } = this.mix(`${pathOf(i)}.mixer`, run(`${pathOf(i)}.norm`, cast(x, embedded.dtype)), run, states[i]!, {
        mask,
        segments,
      });
      return { y: add(x, cast(y, x.dtype)), state };
    });
    const last = run("backbone.norm_f", results.at(-1)!);
    return {
      logits: run("lm_head", keptStates(cast(last, embedded.dtype), inputs)),
      hiddenStates: [...results, last],
      ...(inputs.cache && { cache: after }),
    };
  }

  /** The states before the first token; they do not grow. */
  emptyCache({ batch = 1 }: Partial<CacheOptions> = {}): MambaState[] {
    const { conv, ssm } = this.stateShapes(batch);
    const { dtype } = this.layer("backbone.embeddings").layer;
    return Array.from({ length: this.config.layers }, () => ({ conv: zeros(conv, dtype), ssm: zeros(ssm) }));
  }

  /**
   * The convolution over time of x [B, T, C], which sees the inputs before, and what it keeps of them.
   * @param state the last kernel − 1 inputs, [B, C, kernel − 1]
   */
  protected convolve(
    path: string,
    x: Tensor,
    run: RunLayer,
    state: Tensor,
    segments: Segments | undefined,
  ): { readonly y: Tensor; readonly state: Tensor } {
    const [, length] = x.shape as [number, number, number];
    const all = concat([state, transpose(x, [0, 2, 1])], 2);
    const kept = slice(all, [undefined, undefined, [length, length + this.config.kernel - 1]]);
    const y = segments ? this.convolveEach(path, all, run, segments) : run(path, all);
    return { y: transpose(y, [0, 2, 1]), state: kept };
  }

  /** The same, where no step sees another document: each gets inputs of its own, of which the convolution's results between are left out. */
  private convolveEach(path: string, all: Tensor, run: RunLayer, segments: Segments): Tensor {
    const { kernel } = this.config;
    const [batch, length] = segments.ids.shape as [number, number];
    const channels = all.shape[1]!;
    const seen = Array.from({ length: kernel }, (_, i) => {
      const own = reshape(reaches(segments, kernel - 1 - i), [batch, 1, length]);
      return where(own, slice(all, [undefined, undefined, [i, i + length]]), 0);
    });
    const y = run(path, reshape(stack(seen, 3), [batch, channels, length * kernel]));
    const each = pad(y, [0, 0, 0], [0, 0, kernel - 1]);
    return reshape(slice(reshape(each, [batch, channels, length, kernel]), [undefined, undefined, undefined, [0, 1]]), [
      batch,
      channels,
      length,
    ]);
  }
}

/** x where the mask [B, T, 1] has 1, else 0. */
export const masked = (x: Tensor, mask: Tensor | undefined): Tensor => (mask ? mul(x, cast(mask, x.dtype)) : x);

/** [B, T, C] cut into heads, [B, T, heads, C / heads]. */
export const inHeads = (x: Tensor, heads: number): Tensor => reshape(x, [x.shape[0]!, x.shape[1]!, heads, -1]);
