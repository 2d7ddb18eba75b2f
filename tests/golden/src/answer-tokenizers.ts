// What weft's tokenizers make of texts, for tests/python/tokenizers_fuzz.py: a line of JSON is asked on stdin, one answers on stdout.
import { createInterface } from "node:readline";
import { openGgufPath } from "@weft/io-gguf/node";
import { type EncodeOneOptions, type Encoding, Tokenizer, tokenizerFromGguf, train, type TrainOptions } from "@weft/tokenizers";
import { openTokenizer } from "@weft/tokenizers/node";
import { WeftError } from "@weft/tensor-core";

interface EncodeQuestion {
  readonly tokenizer: string;
  readonly texts: readonly (string | readonly [string, string])[];
  readonly options?: Omit<EncodeOneOptions, "pair">;
  /** All at once, so that padding brings them to one length. */
  readonly batch?: boolean;
}

interface TrainQuestion {
  readonly train: TrainOptions;
  readonly texts: readonly string[];
}

const opened = new Map<string, Promise<Tokenizer>>();

async function open(path: string): Promise<Tokenizer> {
  if (!path.endsWith(".gguf")) return openTokenizer(path);
  const file = await openGgufPath(path);
  await file.close();
  return tokenizerFromGguf(file.metadata, path);
}

const lists = ({ overflowing, ...rest }: Encoding): object => ({ ...rest, overflowing: overflowing.map(lists) });

async function answerEncode({ tokenizer: path, texts, options = {}, batch = false }: EncodeQuestion): Promise<object> {
  if (!opened.has(path)) opened.set(path, open(path));
  const tokenizer = await opened.get(path)!;
  const inputs = texts.map((text) => (typeof text === "string" ? text : { text: text[0], pair: text[1] }));
  const settings = { offsetUnit: "code-point", ...options } as const;
  const attempt = (some: typeof inputs): object[] => {
    try {
      return tokenizer.encodeBatch(some, settings).map((encoding) => ({
        ...lists(encoding),
        decode: tokenizer.decode(encoding.ids),
        decodeRaw: tokenizer.decode(encoding.ids, { skipSpecialTokens: false }),
      }));
    } catch (error) {
      return [{ error: error instanceof WeftError ? error.kind : String(error) }];
    }
  };
  return batch ? attempt(inputs) : inputs.map((input) => attempt([input])[0]!);
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as EncodeQuestion | TrainQuestion;
  let answer: object;
  try {
    answer = "train" in question ? train(question.texts, question.train).toJson()! : await answerEncode(question);
  } catch (error) {
    answer = { error: error instanceof WeftError ? `${error.kind}: ${error.message}` : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
