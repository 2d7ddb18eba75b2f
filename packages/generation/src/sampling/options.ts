import { optionError } from "../option-error.js";

/** How the next token is chosen, with the names and meanings of transformers' `GenerationConfig`. What is not given has no effect. */
export interface SamplingOptions {
  /** 0 takes the likeliest token; 1, the default, leaves the distribution as it is. */
  readonly temperature?: number | undefined;
  /** How many of the likeliest tokens are kept; 0 keeps all. */
  readonly topK?: number | undefined;
  /** In (0, 1]. */
  readonly topP?: number | undefined;
  /** In [0, 1]. */
  readonly minP?: number | undefined;
  /** In (0, 1]. */
  readonly typicalP?: number | undefined;
  /** In [0, 1). */
  readonly epsilonCutoff?: number | undefined;
  /** In [0, 1). */
  readonly etaCutoff?: number | undefined;
  /** Above 0; of tokens of prompt and text. */
  readonly repetitionPenalty?: number | undefined;
  /** OpenAI's; of tokens that were generated. */
  readonly presencePenalty?: number | undefined;
  /** OpenAI's; of tokens that were generated. */
  readonly frequencyPenalty?: number | undefined;
  /** Sequences of so many tokens come once at most; 0 allows all. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Added to the logits of tokens, by id. */
  readonly logitBias?: ReadonlyMap<number, number> | { readonly [id: number]: number } | undefined;
  /** Tokens that are never chosen. */
  readonly suppressTokens?: readonly number[] | undefined;
  /** No end token before there are so many. */
  readonly minNewTokens?: number | undefined;
  /** The end tokens that `minNewTokens` is about. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** How many of the likeliest tokens are returned with their log-probabilities. */
  readonly topLogprobs?: number | undefined;
}

type Range = readonly [expected: string, holds: (value: number) => boolean];
const finite = (value: number): boolean => Number.isFinite(value);
const count: Range = ["a whole number from 0 on", (v) => Number.isSafeInteger(v) && v >= 0];
const anyNumber: Range = ["a finite number", finite];
const share: Range = ["a number above 0, up to 1", (v) => v > 0 && v <= 1];
const cutoff: Range = ["a number from 0 to below 1", (v) => v >= 0 && v < 1];

const NUMBERS: { readonly [name: string]: Range } = {
  temperature: ["a finite number from 0 on", (v) => finite(v) && v >= 0],
  topK: count,
  topP: share,
  minP: ["a number from 0 to 1", (v) => v >= 0 && v <= 1],
  typicalP: share,
  epsilonCutoff: cutoff,
  etaCutoff: cutoff,
  repetitionPenalty: ["a finite number above 0", (v) => finite(v) && v > 0],
  presencePenalty: anyNumber,
  frequencyPenalty: anyNumber,
  noRepeatNgramSize: count,
  minNewTokens: count,
  topLogprobs: count,
};
const [tokenExpected, isToken]: Range = ["a token id: a whole number from 0 on", count[1]];
const OTHERS: readonly string[] = ["logitBias", "suppressTokens", "eosTokenId"];

/** Biases by id, whichever way they were given. */
export function biasesOf(option: NonNullable<SamplingOptions["logitBias"]>): ReadonlyMap<number, number> {
  return option instanceof Map ? option : new Map(Object.entries(option).map(([id, bias]) => [Number(id), bias as number]));
}

/** End tokens as a list. */
export const eosTokens = (option: SamplingOptions["eosTokenId"]): readonly number[] =>
  option === undefined ? [] : typeof option === "number" ? [option] : option;

/**
 * Refuses options that mean nothing, and names that there are not.
 * @throws ConfigError kind `generation-option`
 */
export function checkSamplingOptions(options: SamplingOptions): void {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (value === undefined || OTHERS.includes(name)) continue;
    const range = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
    if (!range) throw optionError(name, value, `one of ${[...Object.keys(NUMBERS), ...OTHERS].join(", ")}`);
    if (typeof value !== "number" || !range[1](value)) throw optionError(name, value, range[0]);
  }
  for (const name of ["suppressTokens", "eosTokenId"] as const)
    for (const id of eosTokens(options[name])) if (!isToken(id)) throw optionError(name, id, tokenExpected);
  for (const [id, bias] of biasesOf(options.logitBias ?? {})) {
    if (!isToken(id)) throw optionError("logitBias", id, tokenExpected);
    // −∞ bans a token.
    if (typeof bias !== "number" || !(bias < Infinity)) throw optionError(`logitBias of token ${id}`, bias, "a number below infinity");
  }
  if ((options.minNewTokens ?? 0) > 0 && options.eosTokenId === undefined)
    throw optionError("eosTokenId", undefined, "the tokens that minNewTokens holds back");
}
