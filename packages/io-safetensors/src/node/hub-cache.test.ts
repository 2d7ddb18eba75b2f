import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FileServer, serveFiles } from "../testing/file-server.js";
import { WRITTEN } from "../testing/fixtures.js";
import { cachedSnapshot, hubCacheFolder, openWeights } from "./index.js";

/** Made by huggingface_hub: `main` complete, `refs/pr/1` left off after the first of three shards. */
const CACHE = join(WRITTEN, "cache");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const SNAPSHOT = join(CACHE, "models--weft--tiny/snapshots", COMMIT);
const FILES = ["model.safetensors.index.json", ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`)];

let server: FileServer;
beforeEach(async () => {
  const repo = (revision: string): [string, Uint8Array][] =>
    FILES.map((name) => [`/weft/tiny/resolve/${revision}/${name}`, readFileSync(join(WRITTEN, "hub", name))]);
  server = await serveFiles(new Map([...repo("main"), ...repo("refs%2Fpr%2F1")]));
  for (const name of ["HF_HOME", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_HUB_OFFLINE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HUB_CACHE", CACHE);
  vi.stubEnv("HF_ENDPOINT", server.origin);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

describe("the folder of the cache", () => {
  it.each<[Record<string, string>, string]>([
    [{}, join(homedir(), ".cache/huggingface/hub")],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub"],
    [{ HF_HOME: "~/h" }, join(homedir(), "h/hub")],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c" }, "/c"],
  ])("of %j is %s", (env, folder) => expect(hubCacheFolder(env)).toBe(folder));
});

describe("a snapshot in the cache", () => {
  it("is found by branch, by reference and by commit", () => {
    expect(cachedSnapshot("hf:weft/tiny")).toBe(SNAPSHOT);
    expect(cachedSnapshot("hf:weft/tiny@main")).toBe(SNAPSHOT);
    expect(cachedSnapshot(`hf:weft/tiny@${COMMIT}`)).toBe(SNAPSHOT);
    expect(cachedSnapshot("hf:weft/tiny@refs/pr/1")).toMatch(/89abcdef$/);
  });

  it("is not there for other repositories, revisions and commits", () => {
    for (const id of ["hf:weft/other", "hf:tiny", "hf:weft/tiny@v1", `hf:weft/tiny@${COMMIT.replace("0", "1")}`])
      expect(cachedSnapshot(id), id).toBeUndefined();
  });

  it("cannot be led elsewhere by what a reference holds", () => {
    const cache = mkdtempSync(join(tmpdir(), "weft-cache-"));
    try {
      mkdirSync(join(cache, "models--a--b/refs"), { recursive: true });
      mkdirSync(join(cache, "models--a--b/snapshots"), { recursive: true });
      writeFileSync(join(cache, "models--a--b/refs/main"), "../../..");
      expect(cachedSnapshot("hf:a/b", cache)).toBeUndefined();
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});

describe("openWeights of a hub id", () => {
  it("reads the cache, without a request", async () => {
    const source = await openWeights("hf:weft/tiny");
    const plain = await openWeights(join(WRITTEN, "hub"));
    expect(source.location).toBe(join(SNAPSHOT, FILES[0]!));
    for (const name of plain.names()) expect(await source.read(name)).toEqual(await plain.read(name));
    expect(server.log).toEqual([]);
    await source.close();
    await plain.close();
  });

  it("goes to the hub for what the cache does not hold, or holds in part", async () => {
    const source = await openWeights("hf:weft/tiny@refs/pr/1");
    expect(source.location).toBe(`${server.origin}/weft/tiny/resolve/refs%2Fpr%2F1/${FILES[0]}`);
    vi.stubEnv("HF_HUB_CACHE", join(CACHE, "none"));
    expect([...(await openWeights("hf:weft/tiny")).names()]).toEqual([...source.names()]);
    expect((await source.read("last")).shape).toEqual([1]);
  });

  it("sends HF_TOKEN", async () => {
    vi.stubEnv("HF_HUB_CACHE", join(CACHE, "none"));
    vi.stubEnv("HF_TOKEN", "secret");
    await openWeights("hf:weft/tiny");
    expect(new Set(server.headers.map((h) => h.authorization))).toEqual(new Set(["Bearer secret"]));
  });

  it.each(["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])("makes no request when %s is set", async (name) => {
    vi.stubEnv(name, "true");
    await expect(openWeights("hf:weft/other")).rejects.toMatchObject({ kind: "not-found", file: "hf:weft/other" });
    await expect(openWeights("hf:weft/tiny@refs/pr/1")).rejects.toMatchObject({ kind: "missing-shard" });
    expect([...(await openWeights("hf:weft/tiny")).names()]).toHaveLength(9);
    expect(server.log).toEqual([]);
  });

  it("refuses a shard that leads out of the cache, rather than ask the hub", async () => {
    const cache = mkdtempSync(join(tmpdir(), "weft-cache-"));
    try {
      cpSync(CACHE, cache, { recursive: true, verbatimSymlinks: true });
      const shard = join(cache, "models--weft--tiny/snapshots", COMMIT, FILES[3]!);
      rmSync(shard);
      symlinkSync(join(WRITTEN, "hub", FILES[3]!), shard);
      vi.stubEnv("HF_HUB_CACHE", cache);
      await expect(openWeights("hf:weft/tiny")).rejects.toMatchObject({ kind: "unsafe-path" });
      expect(server.log).toEqual([]);
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});
