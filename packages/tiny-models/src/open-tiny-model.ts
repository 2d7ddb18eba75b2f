import { openSafetensors, type WeightSource } from "@weft/io-safetensors";
import { ConfigError } from "@weft/tensor-core";
import { Tokenizer } from "@weft/tokenizers";
import { readFile } from "./read-file.js";
import { MODELS, TEXTS, type TinyModelName, type TinyTextName } from "./urls.js";

/** Names of the models. */
export const TINY_MODELS: readonly TinyModelName[] = Object.keys(MODELS) as TinyModelName[];
/** Names of the texts. */
export const TINY_TEXTS: readonly TinyTextName[] = Object.keys(TEXTS) as TinyTextName[];

/** What a model is made of, as `loadCausalLM` of `@weft/models` and `TextGenerator` of `@weft/generation` take it. */
export interface TinyModel {
  /** `config.json` */
  readonly config: { readonly [field: string]: unknown };
  /** In memory; to be closed as any other. */
  readonly weights: WeightSource;
  readonly tokenizer: Tokenizer;
  /** `generation_config.json`, for `generationDefaults` of `@weft/generation`. */
  readonly generationConfig: { readonly [field: string]: unknown };
}

/** How files are fetched in a page. */
export interface TinyOptions {
  /** The page's own if not given. */
  readonly fetch?: typeof fetch;
  /** A folder to which `models` and `texts` of this package were copied, with a slash at its end; the package's own if not given. For programs that a bundler has made one file of. */
  readonly home?: URL;
}

/** Where a file of the package lies in another home of its folders. */
const located = (url: URL, home: URL | undefined): URL =>
  home ? new URL(/(?:models\/[^/]+|texts)\/[^/]+$/.exec(url.pathname)![0], home) : url;

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function known<Name extends string>(table: { readonly [name in Name]: unknown }, name: string, what: string): asserts name is Name {
  if (!Object.hasOwn(table, name))
    throw new ConfigError(`there is no tiny ${what} ${JSON.stringify(name)}, expected one of ${Object.keys(table).join(", ")}`);
}

/**
 * Opens one of the models: from the package's folder in Node, by `fetch` in a page, where a bundler has copied its files.
 * @throws ConfigError for another name; IoError kind `not-found` if a file is not where it should be; FormatError if it is another's
 */
export async function openTinyModel(name: TinyModelName, { fetch: fetcher = fetch, home }: TinyOptions = {}): Promise<TinyModel> {
  known(MODELS, name, "model");
  const urls = MODELS[name];
  const [config, weights, tokenizer, generationConfig] = await Promise.all(
    [urls.config, urls.weights, urls.tokenizer, urls.generationConfig].map((url) => readFile(located(url, home), fetcher)),
  );
  return {
    config: JSON.parse(text(config!)),
    weights: await openSafetensors(weights!),
    tokenizer: Tokenizer.fromJson(tokenizer!, urls.tokenizer.href),
    generationConfig: JSON.parse(text(generationConfig!)),
  };
}

/** Reads one of the texts, in another style than that which the models have learnt. @throws as {@link openTinyModel} */
export async function openTinyText(name: TinyTextName, { fetch: fetcher = fetch, home }: TinyOptions = {}): Promise<string> {
  known(TEXTS, name, "text");
  return text(await readFile(located(TEXTS[name], home), fetcher));
}
