import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openGgufPath } from "@weft/io-gguf/node";
import { checkpointOf, editJson, f32, hashOf, makeLlama, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let outputs = 0;
const fresh = (): string => join(folder, `out-${outputs++}`);
const configOf = (at: string): unknown => JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8"));
const TINY = join(FIXTURES, "quant/tiny.gguf");

describe("a GGUF file as a checkpoint of transformers", () => {
  it("has the values that gguf-py computes, under the names and in the order of transformers", async () => {
    const out = fresh();
    const { code, stderr } = await weftBuilt("convert", TINY, "--dtype", "f32", "-o", out);
    expect(code, stderr).toBe(0);
    // As tests/python compares them with transformers and llama.cpp; here, that they are there and hold the file's tokens.
    const tokenizer = JSON.parse(readFileSync(join(out, "tokenizer.json"), "utf8")) as { model: { vocab: Record<string, number> } };
    expect(Object.keys(tokenizer.model.vocab).length).toBe(288);
    expect(JSON.parse(readFileSync(join(out, "tokenizer_config.json"), "utf8"))).toHaveProperty(
      "tokenizer_class",
      "PreTrainedTokenizerFast",
    );
    const got = checkpointOf(out);
    const want = [...tensorsOf(join(FIXTURES, "quant/tiny_gguf.safetensors"))].flatMap(([name, tensor]) =>
      name.startsWith("rows.") ? [[name.slice(5), tensor] as const] : [],
    );
    expect(want.length).toBe(21);
    for (const [name, { bytes }] of want) {
      const there = got.get(name)!;
      expect(there, name).toBeDefined();
      // The fixture holds the first two rows.
      expect([name, there.bytes.subarray(0, bytes.length).equals(bytes)]).toEqual([name, true]);
    }
    const text = readFileSync(join(out, "config.json"), "utf8");
    expect(text).toContain('"rope_theta": 10000.0');
    expect(JSON.parse(text)).toMatchObject({
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      rms_norm_eps: 1e-5,
      num_key_value_heads: 2,
      head_dim: 64,
      vocab_size: 288,
      tie_word_embeddings: false,
    });
  });
});

describe("a LoRA as a GGUF file", () => {
  const PEFT = join(FIXTURES, "quant/lora_peft");

  it("is what llama.cpp's converter writes, byte for byte, and comes back as PEFT wrote it", async () => {
    const [out, back] = [`${fresh()}.gguf`, fresh()];
    expect((await weftBuilt("convert", PEFT, "--to", "gguf", "--base", TINY, "-o", out)).code).toBe(0);
    expect(hashOf(out)).toBe(hashOf(join(FIXTURES, "quant/lora.gguf")));
    const exported = `${fresh()}.gguf`;
    expect((await weftBuilt("export", PEFT, "--target", "llama-server", "--base", TINY, "-o", exported)).code).toBe(0);
    expect(hashOf(exported)).toBe(hashOf(out));
    expect((await weftBuilt("convert", out, "--to", "peft", "--base", TINY, "-o", back)).code).toBe(0);
    expect((await weftBuilt("diff", back, PEFT)).stdout).toMatch(/equal: 4 tensors/);
    expect(configOf(back)).toMatchObject({ r: 4, lora_alpha: 10, use_rslora: false });
  });

  it("of GPT-2, whose layers are stored [in, out], has factors as of any other", async () => {
    const [adapter, out] = [fresh(), `${fresh()}.gguf`];
    const module = "base_model.model.transformer.h.0.attn.c_attn";
    await writeTensors(
      join(adapter, "adapter_model.safetensors"),
      new Map([
        [`${module}.lora_A.weight`, f32([2, 32], (i) => Math.sin(i))],
        [`${module}.lora_B.weight`, f32([96, 2], (i) => Math.cos(i))],
      ]),
    );
    const lora = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["c_attn"], fan_in_fan_out: true };
    writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify(lora));
    const base = join(FIXTURES, "models/gpt2");
    const written = await weftBuilt("convert", adapter, "--to", "gguf", "--base", base, "-o", out);
    expect(written.code, written.stderr).toBe(0);
    const file = await openGgufPath(out);
    expect([...file.tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ["blk.0.attn_qkv.weight.lora_a", [2, 32]],
      ["blk.0.attn_qkv.weight.lora_b", [96, 2]],
    ]);
    await file.close();
  });

  it("has one alpha: that of rsLoRA is lora_alpha times the root of the rank, other scales go into lora_b", async () => {
    const [made, out] = [fresh(), `${fresh()}.gguf`];
    cpSync(PEFT, made, { recursive: true });
    editJson(join(made, "adapter_config.json"), { use_rslora: true, alpha_pattern: { down_proj: 40 } });
    expect((await weftBuilt("convert", made, "--to", "gguf", "--base", TINY, "-o", out)).code).toBe(0);
    const [file, plain] = [await openGgufPath(out), await openGgufPath(join(FIXTURES, "quant/lora.gguf"))];
    const values = async (of: typeof file, name: string): Promise<Float32Array> =>
      new Float32Array((await of.read(name)).data.slice().buffer);
    const alpha = file.metadata.get("adapter.lora.alpha")!.value as number;
    for (const [name, scale] of [
      ["blk.0.attn_q", 10 / 2],
      ["blk.0.ffn_down", 40 / 2],
    ] as const) {
      const [got, factor] = [await values(file, `${name}.weight.lora_b`), await values(plain, `${name}.weight.lora_b`)];
      // llama.cpp multiplies by alpha / r.
      got.forEach((x, i) => expect((x * alpha) / 4).toBeCloseTo(factor[i]! * scale, 5));
    }
    await Promise.all([file.close(), plain.close()]);
  });

  it("is not written without a module: what was lost is said", async () => {
    const out = `${fresh()}.gguf`;
    const lost = await weftBuilt("convert", join(FIXTURES, "peft/lokr_conv1d"), "--to", "gguf", "--base", TINY, "--allow-loss", "-o", out);
    expect(lost).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("a GGUF file can hold nothing of this adapter: conv0: PEFT has"),
    });
    expect(existsSync(out)).toBe(false);
  });

  it("needs the model that it is for, and says so", async () => {
    const out = `${fresh()}.gguf`;
    expect((await weftBuilt("export", PEFT, "--target", "llama-server", "-o", out)).stderr).toMatch(/a GGUF adapter needs --base/);
    expect((await weftBuilt("convert", PEFT, "--to", "gguf", "-o", out)).stderr).toMatch(/a GGUF adapter needs --base/);
    expect((await weftBuilt("convert", join(FIXTURES, "quant/lora.gguf"), "--to", "peft", "-o", fresh())).stderr).toMatch(
      /name it: --base/,
    );
    expect((await weftBuilt("convert", join(FIXTURES, "peft/llama_dora_all_linear"), "--to", "gguf", "--base", TINY, "-o", out)).code).toBe(
      2,
    );
    expect(existsSync(out)).toBe(false);
  });
});

describe("a checkpoint of transformers as a GGUF file", () => {
  let base: string;
  beforeAll(() => {
    base = makeLlama(folder, { layers: 8, hidden: 256, intermediate: 512, vocab: 40 }).base;
    const config = join(base, "config.json");
    writeFileSync(
      config,
      JSON.stringify({ ...(JSON.parse(readFileSync(config, "utf8")) as object), max_position_embeddings: 128, eos_token_id: 1 }),
    );
    const vocab = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i === 0 ? "a" : `t${i}`, i]));
    const tokenizer = {
      model: { type: "BPE", vocab, merges: [["t", "1"]] },
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      added_tokens: [
        { id: 1, content: "t1", special: true },
        { id: 30, content: "<x>", special: false },
      ],
    };
    writeFileSync(join(base, "tokenizer.json"), JSON.stringify(tokenizer));
    writeFileSync(join(base, "tokenizer_config.json"), JSON.stringify({ bos_token: "t1", add_bos_token: false, chat_template: "{{ x }}" }));
  });

  it("chooses types as llama.cpp does, and writes metadata and tokenizer", async () => {
    const [out, alone] = [`${fresh()}.gguf`, `${fresh()}.gguf`];
    const ran = await weftBuilt("quantize", base, "--to", "q4_k_m", "-o", out, "--jobs", "3");
    expect(ran.code, ran.stderr).toBe(0);
    expect((await weftBuilt("quantize", base, "--to", "q4_k_m", "-o", alone, "--jobs", "1")).code).toBe(0);
    expect(hashOf(alone)).toBe(hashOf(out));
    const file = await openGgufPath(out);
    const typeOf = (name: string): string | undefined => file.tensors.get(name)?.type;
    // Of 8 layers: the first, the seventh and eighth, and every third between.
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((n) => typeOf(`blk.${n}.attn_v.weight`))).toEqual([
      "Q6_K",
      "Q4_K",
      "Q4_K",
      "Q6_K",
      "Q4_K",
      "Q4_K",
      "Q6_K",
      "Q6_K",
    ]);
    expect([0, 1].map((n) => typeOf(`blk.${n}.ffn_down.weight`))).toEqual(["Q6_K", "Q4_K"]);
    expect(["output.weight", "token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight"].map(typeOf)).toEqual([
      "Q6_K",
      "Q4_K",
      "F32",
      "Q4_K",
    ]);
    const value = (key: string): unknown => file.metadata.get(key)?.value;
    expect([value("general.architecture"), value("general.file_type"), value("llama.block_count"), value("tokenizer.ggml.pre")]).toEqual([
      "llama",
      15,
      8,
      "gpt-2",
    ]);
    expect((value("tokenizer.ggml.tokens") as string[]).slice(29)).toEqual([
      "t29",
      "<x>",
      ...Array.from({ length: 9 }, (_, i) => `[PAD${31 + i}]`),
    ]);
    expect([...(value("tokenizer.ggml.token_type") as Int32Array)].slice(0, 3)).toEqual([1, 3, 1]);
    expect([...(value("tokenizer.ggml.token_type") as Int32Array)].slice(30, 32)).toEqual([4, 5]);
    expect([
      value("tokenizer.ggml.merges"),
      value("tokenizer.ggml.bos_token_id"),
      value("tokenizer.ggml.eos_token_id"),
      value("tokenizer.ggml.add_bos_token"),
    ]).toEqual([["t 1"], 1, 1, false]);
    await file.close();
  });

  it("f32 and back is the same, to the bit; q8_0 is near", async () => {
    for (const [to, most] of [
      ["f32", 0],
      ["q8_0", 0.01],
    ] as const) {
      const [out, back] = [`${fresh()}.gguf`, fresh()];
      expect((await weftBuilt("quantize", base, "--to", to, "-o", out, "--jobs", "1")).code).toBe(0);
      expect((await weftBuilt("convert", out, "--dtype", to === "f32" ? "bf16" : "f32", "-o", back, "--jobs", "1")).code).toBe(0);
      const [before, after] = [checkpointOf(base), checkpointOf(back)];
      expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
      for (const [name, { bytes, shape }] of before) {
        const there = after.get(name)!;
        expect(there.shape).toEqual(shape);
        if (most === 0) expect([name, there.bytes.equals(bytes)]).toEqual([name, true]);
        else {
          let [gap, size] = [0, 0];
          for (let i = 0; i < bytes.length / 2; i++) {
            const x = new Float32Array(Uint32Array.of(bytes.readUInt16LE(2 * i) << 16).buffer)[0]!;
            gap += (there.bytes.readFloatLE(4 * i) - x) ** 2;
            size += x ** 2;
          }
          expect(Math.sqrt(gap / size)).toBeLessThan(most);
        }
      }
    }
  });

  it("refuses what it cannot write, and leaves nothing", async () => {
    const out = `${fresh()}.gguf`;
    for (const [argv, what] of [
      [[base, "--to", "q8_0", "-o", fresh()], /whose name ends in .gguf/],
      [[join(FIXTURES, "peft/llama_base"), "--to", "q8_0", "-o", out], /tokenizer/],
      [[TINY, "--to", "q8_0", "-o", out], /convert it first/],
      [[base, "--to", "q8_0", "--group-size", "32", "-o", out], /--group-size is not for GGUF files/],
    ] as const) {
      const { code, stderr } = await weftBuilt("quantize", ...argv);
      expect([code, stderr]).toEqual([2, expect.stringMatching(what)]);
      expect(existsSync(out)).toBe(false);
    }
  });
});
