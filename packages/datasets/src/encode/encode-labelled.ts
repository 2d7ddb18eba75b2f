import type { Tokenizer } from "@weft/tokenizers";
import { dataError, describeValue, optionError } from "../data-error.js";
import { RowFields } from "../examples/row-fields.js";
import type { Row } from "../read/row.js";
import { IGNORED } from "./encoded.js";

/**
 * What an encoder learns, with the columns that a row of it has.
 * - `classification`: `text` (and `text_pair`), `label`, a class of the text
 * - `regression`: the same, `label` being a number
 * - `token_classification`: `tokens`, a list of words, and `labels`, a class for each
 * - `contrastive`: `anchor`, `positive` (and `negative`)
 * - `cosine_similarity`: `sentence1`, `sentence2`, `score`
 */
export type EncoderTask = "classification" | "regression" | "token_classification" | "contrastive" | "cosine_similarity";

/** A text as an encoder takes it. */
export interface EncoderText {
  readonly ids: Int32Array;
  /** Which of two texts each token is of. */
  readonly typeIds: Int32Array;
}

/** An example of an encoder: one text, or those that are compared, and what is known of it. */
export interface LabelledExample {
  readonly task: EncoderTask;
  readonly texts: readonly EncoderText[];
  /** The number of a class, a number, or the number of a class for each token ({@link IGNORED} of those that have none); undefined where the texts say it all. */
  readonly label: number | Int32Array | undefined;
}

/** How rows become examples of an encoder. */
export interface EncodeLabelledOptions {
  readonly task: EncoderTask;
  readonly tokenizer: Pick<Tokenizer, "encode">;
  /** Most tokens of a text, or of a pair; there is no limit if not given. */
  readonly maxLength?: number;
  /** Which column holds what the task calls so. */
  readonly columns?: Readonly<Record<string, string>>;
  /** The classes in the order of their numbers, as those of a training are for what it is evaluated on; those of the rows in alphabetical order if not given. */
  readonly classes?: readonly string[];
}

/** Examples, and the classes that their labels are numbers of; none of numbers and of texts that are compared. */
export interface Labelled {
  readonly examples: readonly LabelledExample[];
  readonly classes: readonly string[];
}

/** A row before its classes have numbers. */
interface Named {
  readonly texts: readonly EncoderText[];
  readonly label: number | string | undefined;
  /** Of each token: the class of its word, on the first token of it. */
  readonly ofTokens: readonly (string | undefined)[] | undefined;
  readonly row: RowFields;
}

function textOf(
  options: EncodeLabelledOptions,
  text: string | readonly string[],
  pair?: string,
): EncoderText & { readonly wordIds: readonly (number | null)[] } {
  const { tokenizer, maxLength } = options;
  const { ids, typeIds, wordIds } = tokenizer.encode(text as string, {
    padding: false,
    truncation: maxLength ?? false,
    ...(pair !== undefined && { pair }),
  });
  return { ids: Int32Array.from(ids), typeIds: Int32Array.from(typeIds), wordIds };
}

function numberIn(fields: RowFields, name: string): number {
  const value = fields.value(name);
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) throw fields.wrong(name, "a number");
  return number;
}

/** A class by its name: a text, a whole number, or yes or no. */
function classIn(fields: RowFields, name: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "boolean" || Number.isInteger(value)) return String(value);
  throw fields.wrong(name, "a class: a text or a whole number", describeValue(value));
}

/** Words, and the class of the first token of each. */
function wordsOf(options: EncodeLabelledOptions, fields: RowFields): Named {
  const [words, labels] = [fields.value("tokens"), fields.value("labels")];
  if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) throw fields.wrong("tokens", "a list of words");
  if (!Array.isArray(labels) || labels.length !== words.length)
    throw fields.wrong(
      "labels",
      `a list of ${words.length} classes, one a word`,
      Array.isArray(labels) ? `${labels.length}` : describeValue(labels),
    );
  const { wordIds, ...text } = textOf(options, words);
  const ofTokens = wordIds.map((word, i) =>
    word === null || word === wordIds[i - 1] ? undefined : classIn(fields, "labels", labels[word]),
  );
  return { texts: [text], label: undefined, ofTokens, row: fields };
}

function namedOf(options: EncodeLabelledOptions, fields: RowFields): Named {
  const { task } = options;
  if (task === "token_classification") return wordsOf(options, fields);
  const text = (name: string): EncoderText => plain(textOf(options, fields.text(name)));
  const named = (texts: readonly EncoderText[], label: Named["label"]): Named => ({ texts, label, ofTokens: undefined, row: fields });
  if (task === "contrastive") return named(["anchor", "positive", ...(fields.has("negative") ? ["negative"] : [])].map(text), undefined);
  if (task === "cosine_similarity") return named([text("sentence1"), text("sentence2")], numberIn(fields, "score"));
  const whole = plain(textOf(options, fields.text("text"), fields.has("text_pair") ? fields.text("text_pair") : undefined));
  return named([whole], task === "regression" ? numberIn(fields, "label") : classIn(fields, "label", fields.value("label")));
}

const plain = ({ ids, typeIds }: EncoderText): EncoderText => ({ ids, typeIds });

/** Names in alphabetical order, numbers by their size. */
const inOrder = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : Number(a !== b));

/**
 * Rows as examples of an encoder, in their order, with numbers for their classes.
 * @throws FormatError kind `dataset-row`, which names file, line and column; ConfigError kind `dataset-option`
 */
export async function encodeLabelled(rows: AsyncIterable<Row> | Iterable<Row>, options: EncodeLabelledOptions): Promise<Labelled> {
  const all: Named[] = [];
  for await (const row of rows) {
    const named = namedOf(options, new RowFields(row, options.columns ?? {}));
    if (all[0] && all[0].texts.length !== named.texts.length)
      throw optionError("some rows have a negative and others have none", "give all of them one, or none");
    all.push(named);
  }
  const found = new Set(
    all.flatMap(({ label, ofTokens }) => [
      ...(typeof label === "string" ? [label] : []),
      ...(ofTokens ?? []).filter((name) => name !== undefined),
    ]),
  );
  const classes = options.classes ?? [...found].toSorted(inOrder);
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const numberOf = (name: string, { row }: RowFields): number => {
    const number = numbers.get(name);
    if (number !== undefined) return number;
    throw dataError("dataset-row", `the class ${JSON.stringify(name)} is none of ${classes.join(", ")}`, row.place);
  };
  const examples = all.map(({ texts, label, ofTokens, row }): LabelledExample => ({
    task: options.task,
    texts,
    label: ofTokens
      ? Int32Array.from(ofTokens, (name) => (name === undefined ? IGNORED : numberOf(name, row)))
      : typeof label === "string"
        ? numberOf(label, row)
        : label,
  }));
  return { examples, classes };
}
