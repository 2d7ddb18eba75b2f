import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, editJson, filesOf, hashOf, makeLlama, poke, tensorsOf } from "@weft/checkpoint/testing";
import { spawnWeft, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let base: string;
let lora: string;
/** Large enough that a run can be stopped in the middle. */
let large: { readonly base: string; readonly lora: string };
let made = 0;
const SHARD = "model-00001-of-00003.safetensors";
const fresh = (name: string): string => join(folder, `${name}-${made++}`);

beforeAll(() => {
  ({ base, lora } = makeLlama(join(folder, "small")));
  large = makeLlama(join(folder, "large"), { layers: 8, hidden: 512, intermediate: 1536, heads: 8, kvHeads: 4, vocab: 8000, shards: 5 });
});

/** Runs a merge that must succeed. */
async function merged(args: readonly string[], name = "out"): Promise<string> {
  const out = fresh(name);
  const ran = await weftBuilt("merge", base, "-a", lora, "-o", out, ...args);
  expect(ran.code, ran.stderr).toBe(0);
  return out;
}

describe("weft merge", () => {
  it("keeps files, names and dtypes of the base, and changes the adapted weights only", async () => {
    const out = await merged([]);
    expect(readdirSync(out).sort()).toEqual(readdirSync(base).sort());
    const [before, after] = [checkpointOf(base), checkpointOf(out)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, { bytes, dtype }] of before) {
      expect(after.get(name)!.dtype).toBe(dtype);
      expect(after.get(name)!.bytes.equals(bytes), name).toBe(!name.includes("proj"));
    }
    expect(readFileSync(join(out, "config.json"))).toEqual(readFileSync(join(base, "config.json")));
  });

  it("writes the same bytes for any number of threads and any tile size", async () => {
    const one = await merged(["--jobs", "1"]);
    for (const args of [
      ["--jobs", "2"],
      ["--jobs", "5"],
      ["--jobs", "1", "--max-memory", "115MB"],
      ["--report", join(folder, "report.json")],
    ])
      expect(filesOf(await merged(args)), args.join(" ")).toEqual(filesOf(one));
    const big: string[] = [];
    for (const size of ["256MB", "120MB"]) {
      big.push(fresh("big"));
      const args = ["merge", large.base, "-a", large.lora, "-o", big.at(-1)!, "--max-memory", size, "--jobs", "3"];
      expect((await weftBuilt(...args)).code).toBe(0);
    }
    expect(filesOf(big[1]!)).toEqual(filesOf(big[0]!));
  });

  it("verify finds nothing in what merge wrote, and a changed byte in what somebody else did", async () => {
    const out = await merged([]);
    expect((await weftBuilt("verify", out, "--base", base, "-a", lora)).code).toBe(0);
    const wrong = await weftBuilt("verify", out, "--base", base, "-a", `${lora}:0.5`, "--json");
    expect(wrong.code).toBe(4);
    expect((JSON.parse(wrong.stdout.trimEnd().split("\n").at(-1)!) as { different: unknown[] }).different).toHaveLength(14);
  });

  it("unmerge comes near the base", async () => {
    const out = await merged([]);
    const back = fresh("back");
    expect((await weftBuilt("unmerge", out, "-a", lora, "-o", back)).code).toBe(0);
    expect((await weftBuilt("diff", back, base, "--atol", "0.001")).code).toBe(0);
    expect((await weftBuilt("diff", out, base, "--atol", "0.001")).code).toBe(4);
  });

  it("a factor of 0 changes nothing, a negative one takes away", async () => {
    const out = fresh("zero");
    expect((await weftBuilt("merge", base, "-a", `${lora}:0`, "-o", out)).code).toBe(0);
    expect((await weftBuilt("diff", out, base)).code).toBe(0);
    const both = fresh("both");
    expect((await weftBuilt("merge", base, "-a", lora, "-a", `${lora}:-1`, "-o", both, "--dtype", "f32")).code).toBe(0);
    expect((await weftBuilt("diff", both, base, "--atol", "1e-6")).code).toBe(0);
  });

  it("stores as another dtype, in new shards, with the config saying so", async () => {
    const out = await merged(["--dtype", "f32", "--max-shard-size", "200kB"]);
    const shards = readdirSync(out).filter((name) => name.endsWith(".safetensors"));
    expect(shards.length).toBeGreaterThan(1);
    for (const shard of shards) expect(statSync(join(out, shard)).size).toBeLessThan(210_000);
    expect(shards[0]).toMatch(/^model-00001-of-000\d\d\.safetensors$/);
    expect(new Set([...checkpointOf(out).values()].map(({ dtype }) => dtype))).toEqual(new Set(["F32"]));
    expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({ torch_dtype: "float32", rms_norm_eps: 1e-5 });
    const index = JSON.parse(readFileSync(join(out, "model.safetensors.index.json"), "utf8")) as { weight_map: object };
    expect(new Set(Object.values(index.weight_map))).toEqual(new Set(shards));
  });

  it("--dry-run writes nothing", async () => {
    const out = fresh("dry");
    const ran = await weftBuilt("merge", base, "-a", lora, "-o", out, "--dry-run", "--json");
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({ dryRun: true, merged: 14 });
    expect(existsSync(out)).toBe(false);
  });

  it("--report tells what was done to each tensor, and hashes that inspect confirms", async () => {
    const file = join(folder, "report2.json");
    const out = await merged(["--report", file]);
    const { tensors } = JSON.parse(readFileSync(file, "utf8")) as {
      tensors: { name: string; what: string; sha256: string; changeNorm?: number; maxRoundingError?: number }[];
    };
    const { tensors: inspected } = JSON.parse((await weftBuilt("inspect", out, "--hash", "--json")).stdout) as {
      tensors: { name: string; sha256: string }[];
    };
    expect(new Map(tensors.map((t) => [t.name, t.sha256]))).toEqual(new Map(inspected.map((t) => [t.name, t.sha256])));
    const q = tensors.find(({ name }) => name.includes("q_proj"))!;
    expect(q.what).toBe("merged");
    expect(q.changeNorm).toBeGreaterThan(0);
    expect(q.maxRoundingError).toBeGreaterThan(0);
    expect(tensors.find(({ name }) => name.includes("layernorm"))!.what).toBe("copied");
  });

  it("takes at most 256 MiB for a model of 5 files", () => {
    const ran = spawnWeft(["merge", large.base, "-a", large.lora, "-o", fresh("memory"), "--jobs", "4"]);
    expect(ran.code).toBe(0);
    expect(ran.maxRss).toBeGreaterThan(40e6);
    expect(ran.maxRss).toBeLessThan(256 << 20);
  });
});

describe("tied embeddings", () => {
  /** Base without a head, adapter that changes the embedding. */
  function tied(): { readonly base: string; readonly adapter: string } {
    const at = makeLlama(fresh("tied"), { shards: 1 });
    const all = checkpointOf(at.base);
    expect(all.has("lm_head.weight")).toBe(true);
    editJson(join(at.base, "config.json"), { tie_word_embeddings: true });
    return { base: at.base, adapter: at.lora };
  }

  it("stay tied where the adapter leaves them alone", async () => {
    const { base: from, adapter } = tied();
    const out = fresh("out");
    expect((await weftBuilt("merge", from, "-a", adapter, "-o", out)).code).toBe(0);
    expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({ tie_word_embeddings: true });
  });
});

describe("a merge that is stopped", () => {
  const run = (out: string): string[] => ["merge", large.base, "-a", large.lora, "-o", out, "--jobs", "2"];

  it("by SIGINT or SIGTERM leaves no temporary file and tells by its exit code", async () => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const out = fresh("stopped");
      const child = startWeft(run(out), { stdio: "ignore" });
      const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
      while (!existsSync(out) || !readdirSync(out).some((name) => name.endsWith(".tmp"))) await sleep(2);
      child.kill(signal);
      expect(await exited).toBe(code);
      expect(existsSync(out) ? readdirSync(out).filter((name) => name.endsWith(".tmp")) : []).toEqual([]);
    }
  });

  it("by kill -9 at any time goes on from the files that are finished, to the same bytes", async () => {
    const whole = fresh("whole");
    expect((await weftBuilt(...run(whole))).code).toBe(0);
    const expected = filesOf(whole);
    const out = fresh("killed");
    for (const wait of [60, 140, 170, 200, 230, 260]) {
      const child = startWeft(run(out), { stdio: "ignore" });
      const exited = new Promise((resolve) => child.on("exit", resolve));
      await sleep(wait);
      child.kill("SIGKILL");
      await exited;
      // Whatever has its final name is complete.
      for (const name of existsSync(out) ? readdirSync(out).filter((n) => n.endsWith(".safetensors")) : [])
        expect(hashOf(join(out, name)), `${name} after ${wait} ms`).toBe(expected[name]);
      if (existsSync(out) && !existsSync(join(out, ".weft-journal")) && readdirSync(out).length > 0) break;
    }
    const last = await weftBuilt(...run(out));
    expect(last.code, last.stderr).toBe(0);
    expect(filesOf(out)).toEqual(expected);
  }, 120_000);

  it("by kill -9 behind its last step is done already", async () => {
    const out = fresh("late");
    const child = startWeft(run(out), { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    const journal = join(out, ".weft-journal");
    while (!existsSync(journal)) await sleep(1);
    while (existsSync(journal)) await sleep(0);
    child.kill("SIGKILL");
    await exited;
    const again = await weftBuilt(...run(out));
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain("done already");
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("goes on only with the same inputs and options", async () => {
    const out = fresh("other");
    const child = startWeft(run(out), { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    while (!existsSync(join(out, ".weft-journal"))) await sleep(2);
    child.kill("SIGKILL");
    await exited;
    const other = await weftBuilt(...run(out), "--safe", "--json");
    expect(other.code).toBe(2);
    expect(JSON.parse(other.stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({ error: { kind: "other-job" } });
    const forced = await weftBuilt(...run(out), "--safe", "--force");
    expect(forced.code, forced.stderr).toBe(0);
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("behind its last step is done already: the same command finds so, bit for bit, and writes nothing", async () => {
    const out = await merged([]);
    const before = readdirSync(out).map((name) => statSync(join(out, name)).mtimeMs);
    const report = join(folder, "again.json");
    const again = await weftBuilt("merge", base, "-a", lora, "-o", out, "--report", report);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain("done already");
    expect(readdirSync(out).map((name) => statSync(join(out, name)).mtimeMs)).toEqual(before);
    const { tensors } = JSON.parse(readFileSync(report, "utf8")) as { tensors: { sha256: string }[] };
    expect(tensors.every(({ sha256 }) => /^[0-9a-f]{64}$/.test(sha256))).toBe(true);
  });

  it.each([
    ["other values", (out: string) => poke(join(out, SHARD), [...tensorsOf(join(out, SHARD)).keys()].at(-1)!, Uint8Array.of(1, 2, 3), 64)],
    ["another config", (out: string) => editJson(join(out, "config.json"), { changed: true })],
    ["a shard too few", (out: string) => rmSync(join(out, SHARD))],
    ["another index", (out: string) => editJson(join(out, "model.safetensors.index.json"), { changed: true })],
  ])("is not done where the folder holds %s: it is not replaced without --force", async (_, change) => {
    const out = await merged([]);
    change(out);
    const before = filesOf(out);
    const again = await weftBuilt("merge", base, "-a", lora, "-o", out);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/^error: .*exists already\n {2}hint: /m);
    expect(filesOf(out)).toEqual(before);
    const whole = await merged([]);
    expect((await weftBuilt("merge", base, "-a", lora, "-o", out, "--force")).code).toBe(0);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });

  it("refuses to replace another merge's output without --force", async () => {
    const out = await merged([]);
    const other = await weftBuilt("merge", base, "-a", `${lora}:0.5`, "-o", out);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/^error: .*exists already\n {2}hint: /m);
  });
});
