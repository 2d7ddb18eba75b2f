import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, editJson, filesOf, hashOf, makeLlama, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { readImatrix, writeImatrix } from "@weft/io-gguf/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { LLAMA } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { GPTQ_FILES, quantizeGPTQ } from "@weft/quant-nf4-awq";
import { Device } from "@weft/tensor-core";
import { spawnWeft, startWeft, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);
const WORDS = Array.from({ length: 90 }, (_, i) => `w${i}`);

/** A model with a tokenizer of words. */
function model(at: string, sizes: Parameters<typeof makeLlama>[1]): string {
  const { base } = makeLlama(at, sizes);
  const vocab = Object.fromEntries(["<unk>", ...WORDS].map((word, i) => [word, i]));
  const tokenizer = { model: { type: "WordLevel", vocab, unk_token: "<unk>" }, pre_tokenizer: { type: "WhitespaceSplit" } };
  writeFileSync(join(base, "tokenizer.json"), JSON.stringify(tokenizer));
  editJson(join(base, "config.json"), { max_position_embeddings: 128 });
  return base;
}

let base: string;
let text: string;
const ids = Array.from({ length: 400 }, (_, i) => 1 + ((i * i * 7 + i) % 90));
beforeAll(() => {
  base = model(folder, { layers: 3, hidden: 64, intermediate: 128 });
  text = join(folder, "text.txt");
  writeFileSync(text, ids.map((id) => WORDS[id - 1]).join(" "));
});
const few = (): string[] => ["--calibration", text, "--samples", "3", "--sample-length", "32"];
const done = (args: readonly string[]): string => {
  const { code, stdout, stderr } = spawnWeft(args);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return stdout;
};
const DOWN = "model.layers.1.mlp.down_proj";

describe("weft quantize --calibration", () => {
  it("gptq: the weights of the library, from the samples of a text, on any number of threads", async () => {
    const [out, alone] = [fresh(), fresh()];
    const args = ["quantize", base, "--to", "gptq", "--group-size", "32", "--act-order", ...few()];
    done([...args, "-o", out, "--jobs", "3"]);
    done([...args, "-o", alone, "--jobs", "1"]);
    expect(filesOf(alone)).toEqual(filesOf(out));
    const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as { quantization_config: { desc_act: boolean } };
    expect(config.quantization_config.desc_act).toBe(true);
    enableRelaxedSimd();
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const loaded = await loadPretrained(base, { device, architecture: LLAMA });
    const samples = Array.from({ length: 3 }, (_, i) => ids.slice(32 * i, 32 * (i + 1)));
    const want = await quantizeGPTQ(loaded, samples, { groupSize: 32, descAct: true, device });
    const got = checkpointOf(out);
    for (const [path, weight] of want.weights)
      for (const [key, { data }] of GPTQ_FILES.write!(weight))
        expect([path, key, got.get(`${path}.${key}`)!.bytes.equals(data)]).toEqual([path, key, true]);
    device.dispose();
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
    expect(spawnWeft(["convert", out, "--dtype", "f32", "-o", fresh()]).code).toBe(0);
  });

  it("awq: norms take over the scales", () => {
    const [out, plain] = [fresh(), fresh()];
    done(["quantize", base, "--to", "awq", "--group-size", "32", ...few(), "-o", out]);
    done(["quantize", base, "--to", "awq", "--group-size", "32", "-o", plain]);
    const [found, nearest] = [checkpointOf(out), checkpointOf(plain)];
    expect([...found.keys()].sort()).toEqual([...nearest.keys()].sort());
    for (const [name, { dtype, shape, bytes }] of nearest) {
      const own = found.get(name)!;
      expect([own.dtype, own.shape]).toEqual([dtype, shape]);
      expect([name, own.bytes.equals(bytes)]).toEqual([
        name,
        /embed_tokens|lm_head|model\.norm|qzeros/.test(name) ? own.bytes.equals(bytes) : false,
      ]);
    }
  });

  it("goes on behind the block that was done when it was killed, to the same bytes", async () => {
    const large = model(join(folder, "large"), { layers: 4, hidden: 128, intermediate: 192 });
    const [whole, killed] = [fresh(), fresh()];
    const args = (out: string): string[] => ["quantize", large, "--to", "gptq", "--group-size", "64", ...few(), "-o", out];
    done(args(whole));
    const running = startWeft(args(killed), { stdio: "ignore" });
    const block = join(killed, ".weft-calibrated", "block-00001.safetensors");
    while (!existsSync(block)) await new Promise((resolve) => setTimeout(resolve, 3));
    running.kill("SIGKILL");
    await new Promise((resolve) => running.on("exit", resolve));
    expect(readdirSync(killed)).toEqual([".weft-calibrated"]);
    const other = spawnWeft([...args(killed), "--act-order"]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/other inputs or options/)]);
    done(args(killed));
    expect(filesOf(killed)).toEqual(filesOf(whole));
  });
});

describe("importance of inputs in GGUF files", () => {
  const gguf = (): string => `${fresh()}.gguf`;
  const spelling = (at: string): void => {
    const letters = ["w", "Ġ", ...Array.from({ length: 10 }, (_, i) => `${i}`)];
    const vocab = Object.fromEntries(letters.map((letter, i) => [letter, i]));
    const pieces = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
    writeFileSync(join(at, "tokenizer.json"), JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: pieces }));
  };

  it("changes what is stored; what was measured is kept, and gives the same file", async () => {
    const wide = model(join(folder, "wide"), { layers: 2, hidden: 256, intermediate: 256 });
    const other = model(join(folder, "other"), { layers: 1, hidden: 512, intermediate: 256 });
    for (const at of [wide, other]) spelling(at);
    const [plain, own, again] = [gguf(), gguf(), gguf()];
    const [saved, dat] = [join(folder, "saved.gguf"), join(folder, "saved.dat")];
    const args = ["quantize", wide, "--to", "q4_k_s"];
    done([...args, "-o", plain]);
    done([...args, ...few(), "--save-imatrix", saved, "-o", own]);
    done([...args, "--imatrix", saved, "-o", again]);
    expect(hashOf(again)).toBe(hashOf(own));
    await writeImatrix(dat, await readImatrix(saved));
    expect(hashOf(own)).not.toBe(hashOf(plain));
    done([...args, "--imatrix", dat, "-o", gguf()]);
    const out = gguf();
    const { code, stderr } = spawnWeft(["quantize", other, "--to", "q4_k_s", "--imatrix", saved, "-o", out]);
    expect([code, stderr, existsSync(out)]).toEqual([2, expect.stringMatching(/importance is of 256 inputs, the weight has 512/), false]);
  });
});

describe("what cannot be calibrated is said in a line, and nothing is written", () => {
  const refused = (argv: readonly string[], what: RegExp): void => {
    const out = fresh();
    const { code, stderr } = spawnWeft(["quantize", ...argv, "-o", out]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(what)]);
    expect(existsSync(out)).toBe(false);
  };
  it.each(["gptq", "awq"])("NaN (%s)", async (to) => {
    const at = fresh();
    cpSync(base, at, { recursive: true });
    const file = readdirSync(at).find((name) => name.endsWith(".safetensors") && tensorsOf(join(at, name)).has(`${DOWN}.weight`))!;
    const tensors = new Map(tensorsOf(join(at, file)));
    const bytes = Buffer.from(tensors.get(`${DOWN}.weight`)!.bytes);
    bytes.writeUInt16LE(0x7fc0, 2 * (128 * 5 + 7));
    tensors.set(`${DOWN}.weight`, { ...tensors.get(`${DOWN}.weight`)!, bytes });
    await writeTensors(join(at, file), tensors, { format: "pt" });
    refused([at, "--to", to, "--group-size", "32", ...few()], /down_proj.weight: .*\[5, 7\] is NaN/);
  });
  it("a text that is too short", () => refused([base, "--to", "gptq", "--calibration", text], /has less than 512 tokens/));
  it("rows that are no texts", () => {
    const rows = join(folder, "rows.jsonl");
    writeFileSync(rows, '{"body": "w1"}\n');
    refused([base, "--to", "gptq", "--calibration", rows], /rows.jsonl.*line 1.*body/);
  });
  it("a format without a search", () => refused([base, "--to", "nf4", ...few()], /nf4 rounds to the nearest/));
  it("rows that the group does not divide", () => refused([base, "--to", "gptq", "--group-size", "48", ...few()], /no multiple of 48/));
  it("a tokenizer of another model", () => {
    const at = fresh();
    cpSync(base, at, { recursive: true });
    const vocab = Object.fromEntries(WORDS.map((word, i) => [word, i + 50]));
    writeFileSync(
      join(at, "tokenizer.json"),
      JSON.stringify({
        model: { type: "WordLevel", vocab: { "<unk>": 0, ...vocab }, unk_token: "<unk>" },
        pre_tokenizer: { type: "WhitespaceSplit" },
      }),
    );
    refused([at, "--to", "gptq", ...few()], /makes a token \d+, and the model has 97/);
  });
  it("options without what they are about", () => {
    refused([base, "--to", "gptq", "--samples", "3"], /--calibration FILE/);
    refused([base, "--to", "nf4", "--imatrix", text], /--imatrix is for GGUF files/);
    refused([base, "--to", "gptq", "--act-order"], /without calibration/);
  });
});
