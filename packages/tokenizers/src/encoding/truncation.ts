import type { Field } from "../json/fields.js";
import { optionError } from "../tokenizer-error.js";
import { EMPTY, type Encoding, sliceEncoding } from "./encoding.js";

const STRATEGIES = ["longest_first", "only_first", "only_second"] as const;

/** How encodings are cut to a length. */
export interface Truncation {
  /** Most tokens, those included that the template adds. */
  readonly maxLength: number;
  /** Which text of a pair is cut: the longer one until both are equally long (default), the first, or the second. */
  readonly strategy?: (typeof STRATEGIES)[number];
  /** How many tokens of the piece before each piece of what overflows begins with; 0 if not given. */
  readonly stride?: number;
  /** At which end tokens are cut off; right if not given. */
  readonly direction?: "right" | "left";
}

/** `truncation` of a file. */
export function readTruncation(field: Field): Truncation {
  const strategy = field.at("strategy").oneOf(["LongestFirst", "OnlyFirst", "OnlySecond"]);
  return {
    maxLength: field.at("max_length").integer(),
    strategy: STRATEGIES[["LongestFirst", "OnlyFirst", "OnlySecond"].indexOf(strategy)]!,
    stride: field.at("stride").integer(0),
    direction: field.at("direction").oneOf(["Right", "Left"], "Right") === "Left" ? "left" : "right",
  };
}

/** @throws ConfigError kind `tokenizer-option` */
export function checkTruncation({ maxLength, strategy, stride = 0 }: Truncation): void {
  if (!Number.isSafeInteger(maxLength) || maxLength < 0)
    throw optionError(`truncation: maxLength is ${maxLength}, expected an integer from 0`);
  if (!Number.isSafeInteger(stride) || stride < 0) throw optionError(`truncation: stride is ${stride}, expected an integer from 0`);
  if (strategy !== undefined && !STRATEGIES.includes(strategy))
    throw optionError(`truncation: strategy is ${JSON.stringify(strategy)}, expected ${STRATEGIES.join(" or ")}`);
}

/** An encoding cut to at most `most` tokens; what is cut off comes in pieces as long. */
function cut(encoding: Encoding, most: number, stride: number, direction: "right" | "left"): Encoding {
  const length = encoding.ids.length;
  if (length <= most) return encoding;
  if (most === 0) return { ...EMPTY, overflowing: [encoding] };
  if (stride >= most) throw optionError(`truncation: stride ${stride} is not below the ${most} tokens that a piece has room for`);
  const pieces: Encoding[] = [];
  const step = most - stride;
  for (let at = 0; ; at += step) {
    const [from, to] = direction === "right" ? [at, Math.min(at + most, length)] : [Math.max(length - at - most, 0), length - at];
    pieces.push(sliceEncoding(encoding, from, to));
    if (direction === "right" ? to === length : from === 0) break;
  }
  return { ...pieces[0]!, overflowing: pieces.slice(1) };
}

/**
 * Cuts a text, or a pair, to `most` tokens in all.
 * @throws ConfigError kind `tokenizer-option` if the text that may be cut is too short for it
 * @see tokenizers `utils/truncation.rs`
 */
export function truncate(encodings: readonly Encoding[], most: number, truncation: Truncation): Encoding[] {
  const { strategy = "longest_first", stride = 0, direction = "right" } = truncation;
  const lengths = encodings.map(({ ids }) => ids.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total <= most && most > 0) return [...encodings];
  const to = (targets: readonly number[]): Encoding[] => encodings.map((one, i) => cut(one, targets[i]!, stride, direction));
  if (most === 0) return to(lengths.map(() => 0));
  if (strategy === "longest_first") return to(lengths.length === 1 ? [most] : shares(lengths[0]!, lengths[1]!, most));
  const which = strategy === "only_first" ? 0 : 1;
  const length = lengths[which];
  if (length === undefined) throw optionError(`truncation: "only_second", and there is no second text`);
  if (length <= total - most)
    throw optionError(
      `truncation: ${total} tokens cannot become ${most} by cutting the ${which === 0 ? "first" : "second"} text, which has ${length}`,
    );
  return to(lengths.map((one, i) => (i === which ? one - (total - most) : one)));
}

/** How many tokens each of two texts keeps: all of the shorter one, if the longer one is not cut below it. */
function shares(first: number, second: number, most: number): [number, number] {
  const short = Math.min(first, second);
  let [less, more] = [short, short > most ? short : Math.max(short, most - short)];
  if (less + more > most) {
    less = Math.floor(most / 2);
    more = less + (most % 2);
  }
  return first > second ? [more, less] : [less, more];
}
