import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { MAX_CONFIG_BYTES, type WeightSource } from "@weft/io-safetensors";
import { bytesOfUrl } from "@weft/io-safetensors/http";
import { downloadModel, ioError, openWeights, readSmallFile } from "@weft/io-safetensors/node";
import { FormatError, IoError, type LongCallOptions } from "@weft/tensor-core";
import type { Architecture } from "../architecture.js";
import type { BertModel } from "../bert.js";
import type { CausalLM } from "../causal/causal-lm.js";
import { type ConfigJson, parseConfig } from "../config-fields.js";
import { loadCausalLM, loadEncoder } from "../load.js";
import type { ModelOptions } from "../model.js";
import type { GgufModelInput } from "../sources/gguf-model.js";
import type { ParameterSource } from "../sources/parameter-source.js";

/** The device, how far loading is, what stops it; and how far a download from the hub is that comes before. */
export interface PretrainedOptions extends ModelOptions, LongCallOptions {
  /** Told of bytes of weights that come from the hub. */
  readonly onDownload?: (done: number, total: number) => void;
}

/**
 * Where a model is: a folder, with `config.json` beside safetensors files; one of those files or their index; a GGUF file (its path ends in `.gguf`); the URL of any of these, a folder's with a slash at its
 * end; a repository of the hub, `hf:user/repo[@revision]`; an open GGUF file, or one as a File or Blob.
 */
export type PretrainedInput = string | URL | GgufModelInput;

/**
 * Loads a causal language model. Quantised weights stay packed. Files behind URLs are read by ranges, nothing of them is stored; a repository of the hub is fetched into the cache of huggingface_hub, and from then on is read there
 * (`HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN`).
 * With `architecture` (`LLAMA`, `MAMBA` …) it must be that one, and the result has its type.
 * @throws IoError; FormatError; ConfigError kind `unsupported-model` for an architecture that is not here; CancelledError
 */
export function loadPretrained(input: PretrainedInput, options?: PretrainedOptions): Promise<CausalLM>;
export function loadPretrained<M>(
  input: PretrainedInput,
  options: PretrainedOptions & { readonly architecture: Architecture<M> },
): Promise<M>;
export function loadPretrained<M>(
  input: PretrainedInput,
  { architecture, onDownload, ...options }: PretrainedOptions & { readonly architecture?: Architecture<M> } = {},
): Promise<M | CausalLM> {
  return opened<M | CausalLM>(input, { ...options, ...(onDownload && { onDownload }) }, (config, source) =>
    architecture ? architecture.load(config, source, options) : loadCausalLM(config, source, options),
  );
}

/** Loads an encoder, as {@link loadPretrained} does a causal language model. */
export function loadPretrainedEncoder(input: PretrainedInput, { onDownload, ...options }: PretrainedOptions = {}): Promise<BertModel> {
  return opened(input, { ...options, ...(onDownload && { onDownload }) }, (config, source) => loadEncoder(config, source, options));
}

type Load<M> = (config: ConfigJson, source: WeightSource | ParameterSource) => Promise<M>;

async function opened<M>(input: PretrainedInput, options: PretrainedOptions, load: Load<M>): Promise<M> {
  if (typeof input !== "string" && !(input instanceof URL)) return ofGguf(input, load);
  const place = String(input);
  const { signal, onDownload } = options;
  const http = { ...(signal && { signal }) };
  if (place.startsWith("hf:")) {
    const folder = await downloadModel(place, ["config.json"], { ...http, ...(onDownload && { onProgress: onDownload }) });
    return opened(folder, options, load);
  }
  const url = /^https?:/.test(place) ? new URL(place) : undefined;
  if ((url?.pathname ?? place).endsWith(".gguf")) {
    const { openGgufPath } = await import("@weft/io-gguf/node");
    return ofGguf(await openGgufPath(place, http), load);
  }
  const config = url ? await configOfUrl(new URL("config.json", url), http) : readConfig(besideConfig(place));
  const source = url?.pathname.endsWith("/") ? await weightsOfFolder(url, http) : await openWeights(place, http);
  try {
    return await load(config, source);
  } finally {
    await source.close();
  }
}

async function ofGguf<M>(input: GgufModelInput, load: Load<M>): Promise<M> {
  const { ggufModel } = await import("../sources/gguf-model.js");
  try {
    const { config, source } = await ggufModel(input);
    return await load(config, source);
  } finally {
    if ("tensors" in input) await input.close();
  }
}

/** The weights in a folder behind a URL: one file, or the parts of an index. */
async function weightsOfFolder(url: URL, http: { readonly signal?: AbortSignal }): Promise<WeightSource> {
  try {
    return await openWeights(new URL("model.safetensors", url), http);
  } catch (error) {
    if (!(error instanceof IoError && error.kind === "not-found")) throw error;
    return openWeights(new URL("model.safetensors.index.json", url), http);
  }
}

async function configOfUrl(url: URL, http: { readonly signal?: AbortSignal }): Promise<ConfigJson> {
  const bytes = await bytesOfUrl(url, http);
  if (bytes.size > MAX_CONFIG_BYTES)
    throw new FormatError(`${url}: ${bytes.size} bytes, at most ${MAX_CONFIG_BYTES} are read`, { kind: "limit", file: String(url) });
  return parseConfig(await bytes.read(0, bytes.size), String(url));
}

/** `config.json` in a folder, or beside a file. @throws FormatError kinds `not-found`, `no-permission` */
function besideConfig(path: string): string {
  try {
    return join(statSync(path).isDirectory() ? path : dirname(path), "config.json");
  } catch (error) {
    throw ioError(error, path, "read");
  }
}

function readConfig(file: string): ConfigJson {
  return parseConfig(readSmallFile(file), file);
}
