import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { FIXTURES, weft } from "../testing/cli.js";

afterEach(() => vi.unstubAllEnvs());

it("inspects a repository in the cache of the hub, values included", async () => {
  vi.stubEnv("HF_HUB_CACHE", join(FIXTURES, "safetensors-writer/cache"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const { code, stdout } = await weft("inspect", "--json", "--hash", "hf:weft/tiny");
  expect(code, stdout).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ path: "hf:weft/tiny", kind: "checkpoint", bytes: 4140 });
});

it("opens an adapter in the cache with its config", async () => {
  const cache = mkdtempSync(join(tmpdir(), "weft-cache-"));
  try {
    const commit = "0".repeat(40);
    const repo = join(cache, "models--user--adapter");
    mkdirSync(join(repo, "refs"), { recursive: true });
    writeFileSync(join(repo, "refs/main"), commit);
    cpSync(join(FIXTURES, "peft/llama_lora"), join(repo, "snapshots", commit), { recursive: true });
    vi.stubEnv("HF_HUB_CACHE", cache);
    const { code, stdout } = await weft("inspect", "--json", "hf:user/adapter");
    expect(code, stdout).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "adapter" });
  } finally {
    rmSync(cache, { recursive: true });
  }
});

it("says that a repository is not in the cache, and what is no repository", async () => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(JSON.parse((await weft("inspect", "--json", "hf:user/none")).stdout)).toMatchObject({ error: { kind: "not-found" } });
  expect(JSON.parse((await weft("inspect", "--json", "hf:../..")).stdout)).toMatchObject({ error: { kind: "hub-id" } });
});
