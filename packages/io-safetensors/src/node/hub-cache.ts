import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { FormatError } from "@weft/tensor-core";
import { type HubOptions, openHub, parseHubId } from "../hub.js";
import type { WeightSource } from "../weight-source.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where huggingface_hub keeps what it has fetched: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in `huggingface` in the user's cache. */
export function hubCacheFolder(env: Environment = process.env): string {
  const cache = env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const folder = env["HF_HUB_CACHE"] ?? env["HUGGINGFACE_HUB_CACHE"] ?? join(env["HF_HOME"] ?? join(cache, "huggingface"), "hub");
  return folder.replace(/^~(?=$|\/)/, homedir());
}

/**
 * The folder of a repository's files in the cache, at the commit that its branch or tag had when it was fetched last.
 * @param id `hf:user/repo[@revision]`
 * @throws ConfigError kind `hub-id`
 */
export function cachedSnapshot(id: string, cache: string = hubCacheFolder()): string | undefined {
  const { repo, revision } = parseHubId(id);
  const folder = join(cache, `models--${repo.replace("/", "--")}`);
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
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_ENDPOINT, HF_TOKEN } = process.env;
  const offline = /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE || "");
  const snapshot = cachedSnapshot(id);
  if (snapshot !== undefined) {
    try {
      return await open(snapshot);
    } catch (error) {
      if (offline || !(error instanceof FormatError) || !INCOMPLETE.has(error.kind)) throw error;
    }
  }
  if (offline)
    throw new FormatError(`${id}: not in the cache (${hubCacheFolder()}), and HF_HUB_OFFLINE is set`, {
      kind: "not-found",
      file: id,
      hint: "fetch it first, or unset HF_HUB_OFFLINE",
    });
  return openHub(id, { ...(HF_ENDPOINT && { endpoint: HF_ENDPOINT }), ...(HF_TOKEN && { token: HF_TOKEN }), ...options });
}
