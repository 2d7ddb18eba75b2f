import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FIXTURES, spawnWeft, temporaryFolder, weft } from "../testing/cli.js";

interface Entry {
  readonly file: string;
  readonly format: string;
  readonly what: string;
  readonly expect: "accept" | "reject" | "either";
  readonly kinds: readonly string[];
}
const folder = temporaryFolder();
const { files } = JSON.parse(readFileSync(join(FIXTURES, "malformed/manifest.json"), "utf8")) as { files: Entry[] };
const known = files.filter(({ format }) => ["safetensors", "index", "adapter", "pickle"].includes(format));

/** One JSON object on stdout, and the verdict that the manifest asks for. */
function check(entry: Entry, code: number, stdout: string): void {
  const lines = stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  const result = JSON.parse(lines[0]!) as { tensors?: unknown[]; error?: { kind: string; message: string; file?: string } };
  if (entry.expect === "accept") expect(code, stdout).toBe(0);
  if (entry.expect === "reject") expect(code, stdout).toBe(2);
  if (code === 0) {
    expect(Array.isArray(result.tensors)).toBe(true);
    return;
  }
  expect(code).toBe(2);
  expect(entry.kinds).toContain(result.error?.kind);
  expect(result.error?.message).not.toBe("");
  expect(result.error?.file).toContain(join(FIXTURES, "malformed"));
}

describe("inspect --json gives the right verdict on hostile files", () => {
  it("has files of each format", () => expect(known.length).toBeGreaterThan(100));
  it.each(known)("$file: $what → $expect $kinds", async (entry) => {
    const { code, stdout, stderr } = await weft("inspect", "--json", join(FIXTURES, "malformed", entry.file));
    expect(stderr).toBe("");
    check(entry, code, stdout);
  });
});

describe("the built program", () => {
  const names = [
    "ok_all_dtypes",
    "n_100mb.",
    "shared_range",
    "claim_1tb",
    "json_depth_200",
    "any_redos_target",
    "any_redos_pattern",
    "any_repeat_bomb",
    "r_huge",
    "shards_swapped",
    "any_total_size",
    "pickle/zip",
  ];
  const some = names.map((name) => known.find(({ file }) => file.includes(name))!);
  it.each(some)("judges $file within 256 MiB", (entry) => {
    const ran = spawnWeft(["inspect", "--json", join(FIXTURES, "malformed", entry.file)]);
    check(entry, ran.code, ran.stdout);
    expect(ran.maxRss).toBeGreaterThan(0);
    expect(ran.maxRss).toBeLessThan(256 << 20);
  });
  it("refuses a GGUF file of a model that it does not know in words", () => {
    const ran = spawnWeft(["inspect", "--json", join(FIXTURES, "malformed", files.find(({ format }) => format === "gguf")!.file)]);
    expect(ran.code).toBe(2);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { kind: "unsupported-model" } });
  });
  it("shows no stack trace without --verbose", () => {
    const path = join(FIXTURES, "malformed/safetensors/hole.safetensors");
    expect(spawnWeft(["inspect", path]).stderr).not.toContain("    at ");
    expect(spawnWeft(["inspect", path, "--verbose"]).stderr).toContain("    at ");
  });
});

describe("inspect", () => {
  const adapter = join(FIXTURES, "peft/llama_lora");

  it("tells method, rank, scale and targets of an adapter", async () => {
    const { stdout } = await weft("inspect", "--json", adapter);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "adapter",
      adapter: { method: "LORA", dialect: "peft", rank: 4, alpha: 8, scale: 2, modules: 6, modulesToSave: ["lm_head.weight"] },
    });
    const human = await weft("inspect", adapter);
    expect(human.stdout).toContain("rank     4, alpha 8, scale 2");
    expect(human.stdout).toContain("down_proj ×2 (layers 0-1)");
  });

  it("hashes the raw bytes of every tensor", async () => {
    const file = join(FIXTURES, "malformed/safetensors/ok_basic.safetensors");
    const { stdout } = await weft("inspect", "--json", "--hash", file);
    const bytes = readFileSync(file);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
    const { tensors } = JSON.parse(stdout) as { tensors: { name: string; sha256: string }[] };
    expect(tensors.length).toBeGreaterThan(0);
    for (const { name, sha256 } of tensors) {
      const [begin, end] = header[name]!.data_offsets;
      expect(sha256).toBe(
        createHash("sha256")
          .update(bytes.subarray(start + begin, start + end))
          .digest("hex"),
      );
    }
  });

  it("gives the norm of ΔW that PEFT's own deltas have", async () => {
    const folder = join(FIXTURES, "peft/lora_linear");
    const { stdout } = await weft("inspect", "--json", "--stats", folder);
    const { deltas } = JSON.parse(stdout) as { deltas: { path: string; norm: number }[] };
    const bytes = readFileSync(join(folder, "case.safetensors"));
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
    expect(deltas.length).toBeGreaterThan(0);
    for (const { path, norm } of deltas) {
      const [begin, end] = header[`delta.${path}`]!.data_offsets;
      const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start + begin, bytes.byteOffset + start + end));
      expect(norm).toBeCloseTo(Math.hypot(...values), 5);
    }
  });

  it("lists tensors by a pattern", async () => {
    const { stdout } = await weft("inspect", "--json", "--tensors", "*.q_proj.lora_A*", adapter);
    expect((JSON.parse(stdout) as { tensors: { name: string }[] }).tensors.map(({ name }) => name)).toHaveLength(2);
  });

  it("prints dimensions that no number holds with all of their digits", async () => {
    const file = join(folder, "wide.safetensors");
    const header = Buffer.from('{"empty":{"dtype":"F32","shape":[0,9223372036854775808,9007199254740993],"data_offsets":[0,0]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file, Buffer.concat([length, header]));
    expect((await weft("inspect", "--json", file)).stdout).toContain('"shape":[0,9223372036854775808,9007199254740993]');
    expect((await weft("inspect", file)).stdout).toContain("[0, 9223372036854775808, 9007199254740993]");
  });

  it("warns on stderr, in JSON within the object", async () => {
    const file = join(FIXTURES, "malformed", files.find(({ file: name }) => name.includes("any_total_size"))!.file);
    const ran = await weft("inspect", file);
    expect(ran.stderr).toMatch(/^warning: .*total_size/);
    expect(ran.stdout).not.toContain("warning");
    const json = await weft("inspect", file, "--json");
    expect([json.stderr, (JSON.parse(json.stdout) as { warnings: string[] }).warnings.length]).toEqual(["", 1]);
  });

  it("knows what is no checkpoint", async () => {
    const { code, stdout } = await weft("inspect", "--json", join(FIXTURES, "peft/llama_base/config.json"));
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: "unknown-format" } });
  });
});
