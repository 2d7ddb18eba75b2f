import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { FormatError } from "@weft/tensor-core";
import { type HubId, type HubOptions, openHub, parseHubId } from "../hub.js";
import type { WeightSource } from "../weight-source.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where huggingface_hub keeps what it has fetched: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in `huggingface` in the user's cache. */
export function hubCacheFolder(env: Environment = process.env): string {
  const cache = env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const folder = env["HF_HUB_CACHE"] ?? env["HUGGINGFACE_HUB_CACHE"] ?? join(env["HF_HOME"] ?? join(cache, "huggingface"), "hub");
  return folder.replace(/^~(?=$|\/)/, homedir());
}

/** What a repository of the hub holds. */
export type HubKind = "models" | "datasets";

/** The folder of a repository in the cache. */
export const repositoryFolder = (repo: string, cache: string, kind: HubKind = "models"): string =>
  join(cache, `${kind}--${repo.replace("/", "--")}`);

/** Where the hub is, with whose rights it is read, and whether it may be asked at all, as the environment says: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`. */
export function hubEnvironment(env: Environment = process.env): Pick<HubOptions, "endpoint" | "token"> & { readonly offline: boolean } {
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_ENDPOINT, HF_TOKEN } = env;
  return {
    offline: /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE || ""),
    ...(HF_ENDPOINT && { endpoint: HF_ENDPOINT }),
    ...(HF_TOKEN && { token: HF_TOKEN }),
  };
}

/** What is not there may not be fetched. */
export const notCached = (id: string, cache: string): FormatError =>
  new FormatError(`${id}: not in the cache (${cache}), and the network may not be used`, {
    kind: "not-found",
    file: id,
    hint: "fetch it first, or unset HF_HUB_OFFLINE (leave --offline out)",
  });

/**
 * The folder of a repository's files in the cache, at the commit that its branch or tag had when it was fetched last.
 * @param id `hf:user/repo[@revision]`
 * @throws ConfigError kind `hub-id`
 */
export function cachedSnapshot(id: string, cache: string = hubCacheFolder()): string | undefined {
  return snapshotOf(parseHubId(id), cache);
}

/** The same of a repository that may be a data set. */
export function snapshotOf({ repo, revision }: HubId, cache: string, kind: HubKind = "models"): string | undefined {
  const folder = repositoryFolder(repo, cache, kind);
  const ref = join(folder, "refs", revision);
  const commit = existsSync(ref) ? readFileSync(ref, "utf8").trim() : revision;
  const snapshot = join(folder, "snapshots", commit);
  return /^[0-9a-f]{40}$/.test(commit) && existsSync(snapshot) ? snapshot : undefined;
}

/** What is missing in a snapshot that was fetched in part. */
const INCOMPLETE = new Set(["not-found", "missing-shard", "missing-index", "unsupported-pickle"]);

/**
 * Opens a repository: the files in the cache if they are there, else over the network, which `HF_HUB_OFFLINE` forbids. `HF_ENDPOINT` and `HF_TOKEN`
 * are heeded.
 * @param open opens a folder
 */
export async function openHubId(id: string, options: HubOptions, open: (folder: string) => Promise<WeightSource>): Promise<WeightSource> {
  const { offline, ...environment } = hubEnvironment();
  const snapshot = cachedSnapshot(id);
  if (snapshot !== undefined) {
    try {
      return await open(snapshot);
    } catch (error) {
      if (offline || !(error instanceof FormatError) || !INCOMPLETE.has(error.kind)) throw error;
    }
  }
  if (offline) throw notCached(id, hubCacheFolder());
  return openHub(id, { ...environment, ...options });
}
