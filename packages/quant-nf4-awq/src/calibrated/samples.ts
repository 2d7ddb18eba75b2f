import { ConfigError, FormatError } from "@weft/tensor-core";

/** Sequences of token ids, one after the other. */
export type Samples = Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>;

/** How a text becomes samples. */
export interface SampleOptions {
  /** Token ids of a text. */
  readonly tokenize: (text: string) => ArrayLike<number> | PromiseLike<ArrayLike<number>>;
  /** Tokens of a sample. Documents are put one behind the other and cut; what is left at the end is dropped. Default 512. */
  readonly length?: number;
  /** Most samples; all if not given. */
  readonly count?: number;
  /** Each line is an object (`jsonl`), or all of it one text. Default `text`. */
  readonly format?: "text" | "jsonl";
  /** Field of a line that holds its text, or token ids. Default `text`. */
  readonly field?: string;
}

/** The documents of a text, as text or token ids. */
function* documents(text: string, format: "text" | "jsonl", field: string): Generator<string | readonly number[]> {
  if (format === "text") return yield text;
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const wrong = (problem: string, cause?: unknown): FormatError =>
      new FormatError(`calibration, line ${i + 1}: ${problem}`, {
        hint: `each line is a JSON object whose field ${JSON.stringify(field)} is a text or a list of token ids`,
        ...(cause !== undefined && { cause }),
      });
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch (error) {
      throw wrong("is no JSON", error);
    }
    const value = (parsed as { readonly [name: string]: unknown } | null)?.[field];
    const ids = Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0);
    if (typeof value !== "string" && !ids) throw wrong(`${JSON.stringify(field)} is ${JSON.stringify(value) ?? "missing"}`);
    yield value as string | readonly number[];
  }
}

/** How documents become samples. */
export type CutOptions = Pick<SampleOptions, "length" | "count">;

/**
 * Samples of `length` tokens from documents of token ids, which are put one behind the other and cut; what is left at the end is dropped.
 * @throws ConfigError for another length
 * @see AutoAWQ `utils/calib_data.py`, which cuts in the same way
 */
export async function* cutSamples(
  tokens: Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>,
  { length = 512, count = Infinity }: CutOptions = {},
): AsyncGenerator<Int32Array> {
  if (!(Number.isInteger(length) && length > 0)) throw new ConfigError(`calibration: length is ${length}, expected a whole number`);
  let sample = new Int32Array(length);
  let [filled, made] = [0, 0];
  for await (const ids of tokens) {
    for (let i = 0; i < ids.length; i++) {
      if (made >= count) return;
      sample[filled++] = ids[i]!;
      if (filled < length) continue;
      yield sample;
      made++;
      sample = new Int32Array(length);
      filled = 0;
    }
  }
}

/**
 * Samples of `length` tokens from a text, or from lines of JSON.
 * @throws ConfigError for another length; FormatError naming the line
 */
export async function* calibrationSamples(
  text: string,
  { tokenize, format = "text", field = "text", ...cut }: SampleOptions,
): AsyncGenerator<Int32Array> {
  async function* tokens(): AsyncGenerator<ArrayLike<number>> {
    for (const document of documents(text, format, field)) yield typeof document === "string" ? await tokenize(document) : document;
  }
  yield* cutSamples(tokens(), cut);
}
