import type { Tokenizer } from "@weft/tokenizers";
import type { ConstraintState } from "../constraints/constraint.js";
import type { Choice } from "../engine/token-request.js";
import type { SamplingOptions } from "../sampling/options.js";
import { type Sampler, sampler } from "../sampling/sampler.js";
import { type TextPiece, TextStream } from "../stopping/text-stream.js";
import type { GenerationResult, TextChunk } from "./generation.js";
import type { GenerateOptions } from "./options.js";

/** An answer as it grows: chooses its tokens, and makes them text. */
export class Answer {
  private readonly prompt: readonly number[];
  private readonly sample: Sampler;
  private readonly place: { readonly seed: number; readonly sequence: number };
  private constraint: ConstraintState | undefined;
  private readonly stream: TextStream;
  private readonly emit: (chunk: TextChunk) => void;
  private readonly tokens: number[] = [];
  private text = "";
  private end: Pick<TextPiece, "finishReason" | "stoppedBy"> = {};

  /** @throws ConfigError kind `generation-option` */
  constructor(prompt: readonly number[], options: GenerateOptions, tokenizer: Tokenizer, emit: (chunk: TextChunk) => void) {
    const { seed, sequence, constraint } = options;
    this.prompt = prompt;
    this.sample = sampler(samplingOf(options));
    this.place = { seed: seed ?? randomSeed(), sequence: sequence ?? 0 };
    this.constraint = constraint?.start();
    this.stream = new TextStream(tokenizer, options);
    this.emit = emit;
  }

  /** The next token by the logits [vocabulary] behind the last one. @throws ConfigError kind `no-token-left`; FormatError kind `non-finite` */
  choose(logits: Float32Array): Choice {
    const soFar = { prompt: this.prompt, generated: this.tokens, allowed: this.constraint?.allowed() };
    const sampled = this.sample(logits, soFar, { ...this.place, position: this.tokens.length });
    this.tokens.push(sampled.token);
    const piece = this.piece(sampled.token);
    this.text += piece.text;
    this.end = piece;
    this.emit({ ...sampled, text: piece.text });
    return { token: sampled.token, done: piece.finishReason !== undefined };
  }

  result(): GenerationResult {
    const { finishReason = "length", stoppedBy } = this.end;
    return {
      text: this.text,
      tokens: this.tokens,
      finishReason,
      ...(stoppedBy !== undefined && { stoppedBy }),
      promptTokens: this.prompt.length,
    };
  }

  private piece(token: number): TextPiece {
    const piece = this.stream.push(token);
    if (piece.finishReason || !this.constraint) return piece;
    this.constraint = this.constraint.advance(token);
    if (!this.constraint.done) return piece;
    return { text: piece.text + this.stream.end(), finishReason: "stop" };
  }
}

/** A seed that nobody has given. */
const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!;

/** Options that are not about the choice of a token. */
const OTHERS: readonly (keyof GenerateOptions)[] = [
  "maxNewTokens",
  "stop",
  "seed",
  "sequence",
  "constraint",
  "adapter",
  "promptLookup",
  "addSpecialTokens",
  "signal",
];

/** Of all options those of sampling, which refuses others. */
const samplingOf = (options: GenerateOptions): SamplingOptions =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !OTHERS.includes(name as keyof GenerateOptions)));
