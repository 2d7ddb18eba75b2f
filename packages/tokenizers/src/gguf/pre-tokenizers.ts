import type { PlainJson } from "../json/plain.js";

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";
const GPT2 = `${CONTRACTIONS}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)`;
/** The shape that most have since: digits in runs of up to so many. */
const modern = (digits: string): string =>
  `(?i:${CONTRACTIONS})|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
/** Words that begin where capitals do. */
const cased = (suffix: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const DEEPSEEK3 =
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+";

/** How texts are split for a value of `tokenizer.ggml.pre`: patterns, one after the other; and whether a text begins with a token where the file does not say. */
interface Splitter {
  readonly names: string;
  readonly patterns: readonly string[];
  readonly ignoreMerges?: boolean;
  readonly addBos?: boolean;
}

/** @see llama.cpp `llama-vocab.cpp` */
const SPLITTERS: readonly Splitter[] = [
  { names: "default", patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"] },
  {
    names:
      "gpt-2 phi-2 jina-es jina-de gigachat jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe mpt olmo jais trillion granite-docling",
    patterns: [GPT2],
  },
  { names: "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", patterns: ["\\p{N}", GPT2] },
  {
    names: "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2",
    patterns: [modern("\\p{N}{1,3}")],
    ignoreMerges: true,
    addBos: true,
  },
  { names: "dbrx smaug-bpe chatglm-bpe glm4", patterns: [modern("\\p{N}{1,3}")] },
  { names: "qwen2 deepseek-r1-qwen kormo stablelm2 hunyuan solar-open grok-2 megrez", patterns: [modern("\\p{N}")] },
  { names: "deepseek-v3 hunyuan-dense joyai-llm", patterns: ["\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3] },
  { names: "deepseek-coder", patterns: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"] },
  { names: "falcon", patterns: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"] },
  { names: "poro-chat bloom gpt3-finnish", patterns: [BLOOM] },
  { names: "viking", patterns: [BLOOM, "\\p{N}"] },
  { names: "tekken", patterns: [cased("", "\\p{N}")], ignoreMerges: true, addBos: true },
  { names: "gpt-4o llama4 minimax-m2", patterns: [cased(`(?i:${CONTRACTIONS})?`, "\\p{N}{1,3}")] },
];

const BY_NAME: ReadonlyMap<string, Splitter> = new Map(
  SPLITTERS.flatMap((splitter) => splitter.names.split(" ").map((name) => [name, splitter] as const)),
);

/** Values of `tokenizer.ggml.pre` that are known. */
export const SPLITTER_NAMES: readonly string[] = [...BY_NAME.keys()];

/** The splitter of a name. @returns undefined if it is not known */
export const splitterOf = (name: string): Splitter | undefined => BY_NAME.get(name);

/** As the `pre_tokenizer` of a file. */
export const preTokenizerJson = ({ patterns }: Splitter): PlainJson => ({
  type: "Sequence",
  pretokenizers: [
    ...patterns.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false })),
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  ],
});

type Json = { readonly [field: string]: unknown };

/** Other ways to write the patterns above. */
const SAME: ReadonlyMap<string, string> = new Map([
  [`${GPT2}|\\s+`, GPT2],
  [GPT2.replace(CONTRACTIONS, "'(?:[sdmt]|ll|ve|re)"), GPT2],
  [`${GPT2.replace(CONTRACTIONS, "'(?:[sdmt]|ll|ve|re)")}|\\s+`, GPT2],
]);

/** The patterns that a pre-tokenizer cuts by, one after the other; undefined if it does anything else. */
function patternsOf(step: Json): readonly string[] | undefined {
  const regex = (step["pattern"] as { readonly Regex?: string } | undefined)?.Regex;
  switch (step["type"]) {
    case "Sequence": {
      const each = (step["pretokenizers"] as readonly Json[]).map(patternsOf);
      return each.every((patterns) => patterns !== undefined) ? each.flat() : undefined;
    }
    case "Split":
      return regex === undefined ? undefined : [SAME.get(regex) ?? regex];
    case "Digits":
      return [step["individual_digits"] === true ? "\\p{N}" : "\\p{N}+"];
    case "ByteLevel":
      return step["add_prefix_space"] === true ? undefined : step["use_regex"] === false ? [] : [GPT2];
    default:
      return undefined;
  }
}

/**
 * The value of `tokenizer.ggml.pre` that cuts texts as a `pre_tokenizer` of a byte-level BPE does.
 * @param ignoreMerges whether a word that is a token stays one, `ignore_merges` of the model
 * @returns undefined if there is none
 */
export function ggufSplitterOf(preTokenizer: unknown, ignoreMerges: boolean): string | undefined {
  const patterns = preTokenizer ? patternsOf(preTokenizer as Json)?.join("\n") : undefined;
  const same = SPLITTERS.filter((splitter) => splitter.patterns.join("\n") === patterns);
  const found = same.find((splitter) => (splitter.ignoreMerges ?? false) === ignoreMerges) ?? (ignoreMerges ? undefined : same[0]);
  return found?.names.split(" ")[0];
}
