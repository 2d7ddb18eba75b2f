import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { makeLlama } from "@weft/checkpoint/testing";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
const cache = join(folder, "cache");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
let hub: Server;
/** Files of the hub, by repository. */
const repositories = new Map<string, string>();

beforeAll(async () => {
  const { base, lora } = makeLlama(join(folder, "small"));
  repositories.set("user/base", base).set("user/lora", lora);
  mkdirSync(join(folder, "ggufs"));
  writeFileSync(join(folder, "ggufs", "model-q4_0.gguf"), "GGUF");
  repositories.set("user/ggufs", join(folder, "ggufs"));
  hub = createServer(({ url = "", headers }, response) => {
    const [, api, repo] = /^\/(?:(api)\/models\/)?([^/]+\/[^/]+)\//.exec(url)!;
    const at = repositories.get(repo!);
    const common = { "X-Repo-Commit": COMMIT };
    if (at === undefined) return void response.writeHead(404, { "X-Error-Code": "RepoNotFound" }).end();
    if (api) {
      const names = ["config.json", "model.safetensors", "adapter_config.json", "adapter_model.safetensors", "model-q4_0.gguf"];
      const siblings = names.filter((name) => existsSync(join(at, name))).map((rfilename) => ({ rfilename }));
      return void response.end(JSON.stringify({ siblings }));
    }
    const file = join(at, url.slice(url.lastIndexOf("/") + 1));
    if (!existsSync(file)) return void response.writeHead(404, { ...common, "X-Error-Code": "EntryNotFound" }).end();
    const bytes = readFileSync(file);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "")!.map(Number);
    const piece = bytes.subarray(from, to! + 1);
    response
      .writeHead(206, {
        ...common,
        ETag: `"${createHash("sha256").update(bytes).digest("hex")}"`,
        "Content-Range": `bytes ${from}-${from! + piece.byteLength - 1}/${bytes.byteLength}`,
      })
      .end(piece);
  });
  await new Promise<void>((resolve) => hub.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(hub.address() as AddressInfo).port}`);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
});
afterAll(() => {
  vi.unstubAllEnvs();
  hub.close();
  hub.closeAllConnections();
});

const json = (stdout: string): unknown => JSON.parse(stdout.trim().split("\n").at(-1)!);

it("models lists what is known, smaller when it is stored in fewer bits", async () => {
  const { code, stdout } = await weftBuilt("models");
  expect(code).toBe(0);
  expect(stdout).toMatch(/HuggingFaceTB\/SmolLM2-135M-Instruct +llama +135M/);
  const { models } = json((await weftBuilt("models", "--json")).stdout) as {
    models: { repo: string; architecture: string; run: Record<string, number>; qlora: number | null; cached: boolean }[];
  };
  expect(models.length).toBeGreaterThan(20);
  for (const { architecture, run, qlora, cached } of models) {
    expect(run["f32"]!).toBeGreaterThan(run["bf16"]!);
    expect(run["bf16"]!).toBeGreaterThanOrEqual(run["int8"]!);
    expect(run["int8"]!).toBeGreaterThanOrEqual(run["nf4"]!);
    expect(qlora === null).toBe(architecture === "bert");
    expect(cached).toBe(false);
  }
});

it("models says of a folder what its model takes, and what is unknown", async () => {
  const { code, stdout } = await weftBuilt("models", repositories.get("user/base")!, "--json");
  expect(code).toBe(0);
  const { architecture, memory } = json(stdout) as {
    architecture: string;
    memory: { storage: string; weightBytes: number; train: number }[];
  };
  expect(architecture).toBe("llama");
  expect(memory.map(({ storage }) => storage)).toEqual(["f32", "bf16", "int8", "nf4"]);
  expect(memory[0]!.weightBytes).toBe(2 * memory[1]!.weightBytes);
  for (const { weightBytes, train } of memory) expect(train).toBeGreaterThan(weightBytes);
  const unknown = await weftBuilt("models", "no-such-model");
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("no known model, and no folder with a config.json")]);
});

it("pull fetches a model, an adapter, or files by name, which commands then find", async () => {
  const model = await weftBuilt("pull", "user/base");
  expect([model.code, model.stdout, model.stderr]).toEqual([0, expect.stringContaining(join(cache, "models--user--base")), ""]);
  expect((await weftBuilt("pull", "hf:user/lora")).code).toBe(0);
  const out = join(folder, "merged");
  expect((await weftBuilt("merge", "hf:user/base", "-a", "hf:user/lora", "-o", out)).code).toBe(0);
  const some = await weftBuilt("pull", "user/ggufs");
  expect([some.code, some.stderr]).toEqual([2, expect.stringContaining("weft pull user/ggufs model-q4_0.gguf")]);
  const one = await weftBuilt("pull", "user/ggufs", "model-q4_0.gguf", "--json");
  expect(readFileSync(join((json(one.stdout) as { folder: string }).folder, "model-q4_0.gguf"), "utf8")).toBe("GGUF");
  for (const missing of [["user/ggufs", "other.gguf"], ["user/none"]]) {
    const { code, stderr } = await weftBuilt("pull", ...missing);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: hf:user\//)]);
  }
});

it("models verify reads what is in the cache again, and finds what has changed", async () => {
  const good = await weftBuilt("models", "verify", "user/base", "user/lora");
  expect([good.code, good.stdout]).toEqual([0, expect.stringContaining("✓ model.safetensors")]);
  const snapshot = join(cache, "models--user--lora/snapshots", COMMIT);
  const weights = join(snapshot, "adapter_model.safetensors");
  writeFileSync(weights, Uint8Array.from([...readFileSync(weights).subarray(0, -1), 7]));
  const bad = await weftBuilt("models", "verify", "user/lora");
  expect([bad.code, bad.stdout]).toEqual([4, expect.stringContaining("✗ adapter_model.safetensors")]);
  rmSync(snapshot, { recursive: true });
  expect((await weftBuilt("models", "verify", "user/lora")).code).toBe(2);
});
