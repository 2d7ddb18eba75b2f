import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CapabilityError, FormatError, type MethodTable, WeftError, type WeftErrorKind } from "@weft/tensor-core";
import { describeZero3, type WeightSource, zero3Leftovers } from "@weft/io-safetensors";
import { cachedSnapshot, hubCacheFolder, ioError, openWeights } from "@weft/io-safetensors/node";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { DialectName } from "@weft/adapter-files/dialects";
import { ADAPTER_LIKE, asBase, SWAPPED } from "../source/as-base.js";
import { type PeftState, splitPeftState, unmergedPeft } from "../source/peft-state.js";

/** Something that a user should be told, with what it is about for programs. */
export interface InputWarning {
  readonly kind: string;
  readonly message: string;
}

/** What a path turned out to be. */
export interface Input {
  readonly path: string;
  readonly weights: WeightSource;
  /** The adapter, where the path is one: by its `adapter_config.json`, or by its keys. */
  readonly adapter?: OpenedAdapter;
  /** What a user should be told once. */
  readonly warnings: readonly InputWarning[];
}

/**
 * Opens what a path names, by content: a safetensors file, an index with its shards, an adapter (its folder, its config or
 * its tensor file with the config beside), a checkpoint folder, a URL, or a repository of the hub, whose adapters are read out of its cache only.
 * Only headers are read.
 */
export async function openInput(
  path: string,
  methods: () => Promise<MethodTable>,
  { adapterName }: Pick<AdapterHints, "adapterName"> = {},
): Promise<Input> {
  if (/^(hf|https?):/.test(path)) {
    const snapshot = path.startsWith("hf:") ? cachedSnapshot(path) : undefined;
    if (snapshot !== undefined && adapterFolder(snapshot) !== undefined) return openInput(snapshot, methods, { adapterName });
    return byKeys(path, await openWeights(path), methods, adapterName);
  }
  const folder = adapterFolder(path);
  if (folder !== undefined) {
    try {
      const adapter = await openAdapterAt(folder, await methods(), { adapterName, assumeAlpha: true });
      return { path, weights: adapter.weights, adapter, warnings: adapter.warnings };
    } catch (error) {
      // A full model that a trainer left a config of its adapter beside.
      if (!(error instanceof WeftError && error.kind === "not-an-adapter")) throw error;
      const { weights, warnings } = await byKeys(path, await openWeights(path), methods, adapterName);
      return { path, weights, warnings: [...warnings, warningOf(error)] };
    }
  }
  if (path.endsWith(".json") && !path.endsWith(".index.json")) {
    throw new FormatError(`${path}: this is neither the index of a checkpoint nor an adapter_config.json`, {
      kind: "unknown-format",
      file: path,
      hint: "name a .safetensors file, an .index.json, or a folder that holds one",
    });
  }
  return byKeys(path, await openWeights(path), methods, adapterName);
}

/**
 * The path on this machine of what a command reads as files: a repository of the hub is where the cache has it.
 * @throws CapabilityError kind `not-local` for what lies elsewhere
 */
export function localPath(path: string): string {
  if (!/^(hf|https?):/.test(path)) return path;
  const snapshot = path.startsWith("hf:") ? cachedSnapshot(path) : undefined;
  if (snapshot !== undefined) return snapshot;
  throw new CapabilityError(
    `${path}: not on this machine${path.startsWith("hf:") ? ` (looked in ${hubCacheFolder()})` : ""}, and this reads whole files`,
    {
      kind: "not-local",
      file: path,
      hint: path.startsWith("hf:") ? `fetch it first: hf download ${path.slice(3).replace("@", " --revision ")}` : "fetch it first",
    },
  );
}

/** Opens a checkpoint. @throws FormatError kind `not-a-checkpoint` for an adapter; CapabilityError kind `unmerged-peft` */
export async function openCheckpoint(path: string): Promise<WeightSource> {
  const { base, state } = await openBase(path);
  if (!state?.adapter) return base;
  await base.close();
  throw unmergedPeft(path, state);
}

/** Opens a checkpoint that may have been saved with an adapter in it. @throws errors of `asBase` */
export async function openBase(path: string): Promise<ReturnType<typeof asBase>> {
  const weights = await openWeights(path);
  try {
    return asBase(weights, path);
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** The adapter inside of a model that was saved unmerged; rank and alpha are in the config beside it, or the user gives alpha. */
export async function openOwnAdapter(
  path: string,
  { adapter }: PeftState,
  methods: MethodTable,
  alpha: number | undefined,
): Promise<OpenedAdapter> {
  const { openAdapter } = await import("@weft/adapter-files");
  const file = join(isFolder(path) ? path : dirname(path), "adapter_config.json");
  const config = existsSync(file) ? readFileSync(file) : undefined;
  return openAdapter({ weights: adapter!, ...(config && { config }) }, { methods, file, ...(alpha !== undefined && { alpha }) });
}

/** Tensors whose names are those of an adapter are one, whether or not the program keeps a config beside them. */
async function byKeys(
  path: string,
  weights: WeightSource,
  methods: () => Promise<MethodTable>,
  adapterName: string | undefined,
): Promise<Input> {
  let likely = false;
  for (const name of weights.names()) likely ||= ADAPTER_LIKE.test(name);
  const empty = zero3Leftovers(weights);
  const state = splitPeftState(weights);
  const plain = {
    path,
    weights,
    warnings: [
      ...weights.warnings.map((message) => ({ kind: "file", message })),
      ...(empty.length > 0 ? [{ kind: "zero3-leftovers", message: describeZero3(empty, [...weights.names()].length).message }] : []),
      ...(state?.adapter ? [warningOf(unmergedPeft(path, state))] : []),
    ],
  };
  if (!likely || state) return plain;
  try {
    const { openAdapter } = await import("@weft/adapter-files");
    const { detectDialect } = await import("@weft/adapter-files/dialects");
    if (!detectDialect(weights)) return plain;
    const adapter = await openAdapter(
      { weights },
      { methods: await methods(), assumeAlpha: true, ...(adapterName !== undefined && { adapterName }) },
    );
    return { path, weights, adapter, warnings: adapter.warnings };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

const warningOf = ({ kind, message, hint }: WeftError): InputWarning => ({
  kind,
  message: `${message}${hint === undefined ? "" : `; ${hint}`}`,
});

/** What a user may say of an adapter that its file does not. */
export interface AdapterHints {
  /** Its dialect. */
  readonly from?: DialectName | undefined;
  readonly alpha?: number | undefined;
  /** Its name, where the file holds several. */
  readonly adapterName?: string | undefined;
  /** Open it although its alpha is unknown, to look at the rest. */
  readonly assumeAlpha?: boolean;
}

/** Opens an adapter: its folder, its config or its file, in any dialect; every error names a file. */
export async function openAdapterAt(
  named: string,
  methods: MethodTable,
  { from, alpha, adapterName, assumeAlpha = false }: AdapterHints = {},
): Promise<OpenedAdapter> {
  const { openAdapterFolder } = await import("@weft/adapter-files/node");
  const path = localPath(named);
  isFolder(path);
  const folder = basename(path) === "adapter_config.json" ? dirname(path) : path;
  try {
    return await openAdapterFolder(folder, {
      methods,
      assumeAlpha,
      ...(from && { dialect: from }),
      ...(alpha !== undefined && { alpha }),
      ...(adapterName !== undefined && { adapterName }),
    });
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    if (error.kind === "unknown-dialect") await refuseCheckpoint(path, error);
    if (error.file !== undefined) throw error;
    const { code, message, kind, hint, tensor, cause } = error;
    throw new WeftError(code, message, {
      kind,
      file: folder.endsWith(".safetensors") ? folder : join(folder, "adapter_config.json"),
      ...(hint !== undefined && { hint }),
      ...(tensor !== undefined && { tensor }),
      cause,
    });
  }
}

/** Tensors of no dialect are most often a checkpoint's: more help than the list of dialects. */
async function refuseCheckpoint(path: string, error: WeftError): Promise<void> {
  const weights = await openWeights(path);
  const names = [...weights.names()];
  await weights.close();
  if (names.some((name) => ADAPTER_LIKE.test(name))) return;
  const some = `${names.slice(0, 3).join(", ")}${names.length > 3 ? " …" : ""}`;
  throw new FormatError(`${path}: this looks like a checkpoint, expected an adapter; its tensors are ${some}`, {
    kind: error.kind as WeftErrorKind<"format">,
    file: path,
    hint: error.hint?.startsWith("adapters are in ") ? error.hint : SWAPPED,
    cause: error,
  });
}

/** @throws FormatError kinds `not-found`, `no-permission` */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw ioError(error, path, "read");
  }
}

/** The folder of an adapter that the path names, if it names one. @throws FormatError kind `not-found` */
function adapterFolder(path: string): string | undefined {
  if (isFolder(path)) return existsSync(join(path, "adapter_config.json")) ? path : undefined;
  const name = basename(path);
  if (name === "adapter_config.json") return dirname(path);
  return name === "adapter_model.safetensors" && existsSync(join(dirname(path), "adapter_config.json")) ? dirname(path) : undefined;
}
