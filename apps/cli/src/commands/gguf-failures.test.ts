import { cpSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { editJson, makeLlama, poke } from "@weft/checkpoint/testing";
import { FIXTURES, spawnWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let base: string;
beforeAll(() => {
  base = makeLlama(folder, { hidden: 256, intermediate: 512, vocab: 40, shards: 1 }).base;
  editJson(join(base, "config.json"), { max_position_embeddings: 128 });
  const vocab = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, i]));
  const pieces = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
  writeFileSync(join(base, "tokenizer.json"), JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: pieces }));
});

let made = 0;
/** A folder with nothing in it. */
function fresh(): string {
  const path = join(folder, `out-${made++}`);
  mkdirSync(path);
  return path;
}

/** A copy of the base whose first file of weights is changed. */
function broken(change: (file: string) => void): string {
  const at = join(folder, `broken-${made++}`);
  cpSync(base, at, { recursive: true });
  change(
    join(
      at,
      readdirSync(at).find((name) => name.endsWith(".safetensors"))!,
    ),
  );
  return at;
}

const Q_PROJ = "model.layers.0.self_attn.q_proj.weight";
/** Numbers of bf16 in the second row of 256. */
const put = (bits: number): string => broken((file) => poke(file, Q_PROJ, Uint8Array.of(bits & 255, bits >> 8), 2 * (256 + 7)));

async function refused(argv: readonly string[], what: RegExp): Promise<void> {
  const out = fresh();
  const { code, stderr } = await weftBuilt(...argv, "-o", join(out, "out.gguf"));
  expect([code, stderr]).toEqual([2, expect.stringMatching(what)]);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(readdirSync(out)).toEqual([]);
}

describe("what cannot become a GGUF file is said in a line, and nothing is left, hidden or not", () => {
  it.each(["q4_k_s", "q8_0", "f16"])("NaN (%s)", async (to) => {
    // Rows of heads lie in another order there.
    await refused(["quantize", put(0x7fc0), "--to", to], /q_proj.weight|attn_q.weight: .*\[\d+, 7\] is NaN/);
  });
  it("a number beyond the scales of the type", () =>
    refused(["quantize", put(0x7f00), "--to", "q8_0"], /attn_q.weight: q8_0: a value or scale is .*f16 ends at 65504/));
  it("a file that is cut", () =>
    refused(["quantize", broken((file) => truncateSync(file, 4096)), "--to", "q8_0"], /error: .*\.safetensors/));
  it("an importance matrix of another model, or none at all", async () => {
    const other = join(fresh(), "imatrix.gguf");
    cpSync(join(FIXTURES, "quant/tiny.gguf"), other);
    await refused(["quantize", base, "--to", "q4_k_m", "--imatrix", other], /imatrix.gguf/);
  });

  it("a disk that is full", () => {
    const out = fresh();
    const { code, stderr } = spawnWeft(["quantize", base, "--to", "q8_0", "-o", join(out, "out.gguf")], { shell: "ulimit -f 40" });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/exceed the largest size allowed/)]);
    expect(readdirSync(out)).toEqual([]);
  });

  it("a GGUF file that is cut, on its way to a folder", async () => {
    const [cut, out] = [join(fresh(), "cut.gguf"), fresh()];
    cpSync(join(FIXTURES, "quant/tiny.gguf"), cut);
    truncateSync(cut, 100_000);
    const { code, stderr } = await weftBuilt("convert", cut, "--dtype", "bf16", "-o", join(out, "folder"));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/cut.gguf/)]);
    expect(readdirSync(out)).toEqual([]);
  });
});
