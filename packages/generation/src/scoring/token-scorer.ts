import type { CausalLM } from "@weft/models";
import {
  compile,
  type CompiledFunction,
  ConfigError,
  type Device,
  deviceOf,
  labelLogProbs,
  reshape,
  slice,
  type Tensor,
  throwIfAborted,
} from "@weft/tensor-core";
import { assertInVocabulary } from "../assert-in-vocabulary.js";
import { positionsOf } from "../positions-of.js";
import { causalBase, type GenerativeModel } from "../engine/batch-decoder.js";

/** How long sequences are scored, and where. */
export interface TokenScorerOptions {
  /** Tokens that a position may look back on, itself included; the model's positions if not given, 1024 at most. */
  readonly contextLength?: number;
  /** By how many tokens the next piece of a longer sequence goes on; half of the context if not given. Smaller ones give each token more to look back on. */
  readonly stride?: number;
  readonly device?: Device;
}

/** Lengths are rounded up to a power of two from this, so that few plans serve all. */
const SHORTEST = 16;
const DEFAULT_CONTEXT = 1024;

/** Log-probabilities that a model gives to the tokens of texts. */
export class TokenScorer {
  readonly contextLength: number;
  private readonly stride: number;
  private readonly config: CausalLM["config"];
  private readonly device: Device;
  private readonly pass: CompiledFunction<[Tensor], Tensor>;

  /** @throws ConfigError */
  constructor(model: GenerativeModel, options: TokenScorerOptions = {}) {
    const base = causalBase(model);
    this.config = base.config;
    this.contextLength = options.contextLength ?? Math.min(DEFAULT_CONTEXT, positionsOf(base.config) ?? DEFAULT_CONTEXT);
    this.stride = options.stride ?? Math.max(1, this.contextLength >> 1);
    for (const [name, value] of Object.entries({ contextLength: this.contextLength, stride: this.stride }))
      if (!Number.isSafeInteger(value) || value < 1) throw new ConfigError(`${name} is ${value}, expected a whole number from 1`);
    if (this.stride > this.contextLength)
      throw new ConfigError(`stride is ${this.stride}, expected at most the context, ${this.contextLength}`);
    this.device = options.device ?? deviceOf([...base.weights.values()]);
    this.pass = compile((inputIds) => nextLogprobs((model as CausalLM).forward({ inputIds }).logits, inputIds), { device: this.device });
  }

  /**
   * log p of each token but the first, given those before it, as far as the context reaches.
   * @throws ConfigError for a token that the model does not have; CancelledError
   * @see transformers, "Perplexity of fixed-length models": pieces that overlap
   */
  async logprobs(tokens: readonly number[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<Float32Array> {
    assertInVocabulary(tokens, this.config);
    const scores = new Float32Array(Math.max(0, tokens.length - 1));
    for (let from = 0, known = 1; known < tokens.length; from += this.stride) {
      throwIfAborted(signal);
      const piece = tokens.slice(from, from + this.contextLength);
      const found = await this.run(piece);
      for (; known < from + piece.length; known++) scores[known - 1] = found[known - from - 1]!;
    }
    return scores;
  }

  /** log p of a continuation's tokens, given a prompt of one token at least. */
  async continuation(
    prompt: readonly number[],
    tokens: readonly number[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Float32Array> {
    if (prompt.length === 0)
      throw new ConfigError("a continuation needs a token before it", { hint: "begin with the begin-of-text token" });
    return (await this.logprobs([...prompt, ...tokens], options)).subarray(prompt.length - 1);
  }

  dispose(): void {
    this.pass.dispose();
  }

  private async run(tokens: readonly number[]): Promise<Float32Array> {
    const length = Math.max(tokens.length, Math.min(this.contextLength, Math.max(SHORTEST, 2 ** Math.ceil(Math.log2(tokens.length)))));
    const ids = new Int32Array(length);
    ids.set(tokens);
    const inputIds = this.device.tensor(ids, { shape: [1, length] });
    const result = await this.pass(inputIds);
    const values = (await result.data()) as Float32Array;
    for (const t of [inputIds, result]) t.dispose();
    return values;
  }
}

/** log p of each token but the first, [length - 1], by the logits [1, length, vocabulary] behind those before. */
function nextLogprobs(logits: Tensor, inputIds: Tensor): Tensor {
  const [, length, vocabulary] = logits.shape as [number, number, number];
  const before = reshape(slice(logits, [undefined, [0, length - 1]]), [length - 1, vocabulary]);
  return labelLogProbs(before, reshape(slice(inputIds, [undefined, [1, length]]), [length - 1]));
}
