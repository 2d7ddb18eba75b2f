import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { copyFolder, filesOf, hashOf, makeLlama } from "@weft/checkpoint/testing";
import { temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
const cache = join(folder, "cache");
let base: string;
let lora: string;

/** Puts a folder's files into the cache as huggingface_hub does: blobs by their hash, and a snapshot of links to them. */
function publish(source: string, repo: string, commit: string, ref: string): void {
  const at = join(cache, `models--${repo.replace("/", "--")}`);
  const snapshot = join(at, "snapshots", commit);
  for (const path of [join(at, "blobs"), join(at, "refs"), snapshot]) mkdirSync(path, { recursive: true });
  const copy = copyFolder(source, join(at, "incoming"));
  for (const name of readdirSync(copy)) {
    const blob = hashOf(join(copy, name));
    renameSync(join(copy, name), join(at, "blobs", blob));
    symlinkSync(join("../../blobs", blob), join(snapshot, name));
  }
  writeFileSync(join(at, "refs", ref), commit);
}

beforeAll(() => {
  ({ base, lora } = makeLlama(join(folder, "small")));
  writeFileSync(join(base, "tokenizer.json"), '{"version": "1.0"}');
  publish(base, "user/base", "1".repeat(40), "main");
  publish(lora, "user/lora", "2".repeat(40), "v1");
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
});
afterAll(() => vi.unstubAllEnvs());

it("merges repositories of the hub out of its cache, to the bytes that folders give, config and tokenizer beside them", async () => {
  const [out, expected] = [join(folder, "out"), join(folder, "expected")];
  expect((await weftBuilt("merge", base, "-a", `${lora}:0.5`, "-o", expected)).code).toBe(0);
  const ran = await weftBuilt("merge", "hf:user/base", "-a", "hf:user/lora@v1:0.5", "-o", out);
  expect(ran.code, ran.stderr).toBe(0);
  expect(filesOf(out)).toEqual(filesOf(expected));
  expect(readdirSync(out)).toEqual(expect.arrayContaining(["config.json", "tokenizer.json"]));
  expect((await weftBuilt("verify", out, "--base", "hf:user/base", "-a", "hf:user/lora@v1:0.5")).code).toBe(0);
});

it("inspects values and hashes of a repository as of the folder", async () => {
  const tensors = async (path: string): Promise<unknown> => {
    const ran = await weftBuilt("inspect", path, "--hash", "--stats", "--json");
    expect(ran.code, ran.stdout).toBe(0);
    const { tensors: found, deltas } = JSON.parse(ran.stdout) as { tensors: unknown; deltas?: unknown };
    return { found, deltas };
  };
  expect(await tensors("hf:user/base")).toEqual(await tensors(base));
  expect(await tensors("hf:user/lora@v1")).toEqual(await tensors(lora));
});

it.each([
  ["a base", ["merge", "hf:user/none", "-a", "hf:user/lora@v1", "-o"]],
  ["an adapter", ["merge", "hf:user/base", "-a", "hf:user/lora@v2", "-o"]],
])("says that %s is not in the cache, and how to fetch it", async (_, args) => {
  const out = join(folder, "none");
  const ran = await weftBuilt(...args, out);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toMatch(/^error: hf:user\/\S+: not on this machine .*\n {2}hint: .*hf download user\//m);
  expect(existsSync(out)).toBe(false);
});
