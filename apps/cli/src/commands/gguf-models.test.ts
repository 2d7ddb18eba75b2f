import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { convertCheckpoint, mergeCheckpoint, quantizeCheckpoint, quantizeToGguf } from "@weft/checkpoint/node";
import { checkpointOf, editJson, f32, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { openGgufPath } from "@weft/io-gguf/node";
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { tensor, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { FIXTURES, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
const VOCAB = 96;

/** A model of the fixtures with a tokenizer, in a folder of its own. */
function model(name: string, config: object = {}): string {
  const home = join(folder, name);
  cpSync(join(FIXTURES, "models", name), home, { recursive: true });
  editJson(join(home, "config.json"), config);
  const vocab = Object.fromEntries(Array.from({ length: VOCAB }, (_, i) => [String.fromCharCode(256 + i), i]));
  writeFileSync(
    join(home, "tokenizer.json"),
    JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: { type: "ByteLevel", use_regex: true }, added_tokens: [] }),
  );
  writeFileSync(join(home, "tokenizer_config.json"), "{}");
  return home;
}

/** Gives a model in a folder BERT's kind of tokenizer. */
function wordPieces(home: string): void {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const vocab = Object.fromEntries(Array.from({ length: VOCAB }, (_, i) => [special[i] ?? String.fromCharCode(256 + i), i]));
  const template = { type: "TemplateProcessing", single: [] };
  const added = special.map((content, id) => ({ id, content, special: true }));
  const [normalizer, splitter] = [{ type: "BertNormalizer", lowercase: true }, { type: "BertPreTokenizer" }];
  const pieces = { type: "WordPiece", vocab, unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100 };
  const tokenizer = { model: pieces, normalizer, pre_tokenizer: splitter, post_processor: template, added_tokens: added };
  writeFileSync(join(home, "tokenizer.json"), JSON.stringify(tokenizer));
}

const floats = ({ bytes }: { readonly bytes: Buffer }): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

describe("a model of transformers as a GGUF file, and back", () => {
  it.each([
    ["mamba", /A_log$/],
    ["mamba2", /A_log$/],
    ["phi3_longrope", undefined],
    ["llama_tied_llama3", undefined],
    ["llama_yarn", undefined],
    ["gpt2", undefined],
  ] as const)("%s gives transformers' logits, and has its tensors again", async (name, computed) => {
    const home = model(name);
    const [gguf, back] = [`${home}.gguf`, `${home}-back`];
    await quantizeToGguf({ base: home, out: gguf, to: undefined, jobs: 1 });
    const [ref, loaded] = [tensorsOf(join(home, "ref.safetensors")), await loadPretrained(gguf)];
    const { shape, bytes } = ref.get("input_ids")!;
    const ids = Int32Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number);
    const logits = await loaded.forward({ inputIds: tensor(ids, { shape }) }).logits.data();
    const want = floats(ref.get("logits")!);
    expect(Math.max(...want.map((v, i) => Math.abs(v - logits[i]!)))).toBeLessThan(1e-5);
    await convertCheckpoint({ base: gguf, out: back, dtype: "f32", jobs: 1 });
    const [theirs, ours] = [tensorsOf(join(home, "model.safetensors")), checkpointOf(back)];
    expect([...ours.keys()].toSorted()).toEqual([...theirs.keys()].toSorted());
    for (const [key, one] of theirs) {
      const other = ours.get(key)!;
      expect([key, other.shape]).toEqual([key, one.shape]);
      // Files have -exp(A_log).
      if (computed?.test(key)) floats(one).forEach((v, i) => expect(floats(other)[i]).toBeCloseTo(v, 5));
      else expect([key, other.bytes.equals(one.bytes)]).toEqual([key, true]);
    }
  });

  it("bert gives transformers' states and pooling, and has its tensors again, the pooler aside, of which is told", async () => {
    const home = model("bert");
    wordPieces(home);
    mkdirSync(join(home, "1_Pooling"));
    writeFileSync(join(home, "1_Pooling/config.json"), JSON.stringify({ word_embedding_dimension: 32, pooling_mode_cls_token: true }));
    const [gguf, back] = [`${home}.gguf`, `${home}-back`];
    const notices: string[] = [];
    await quantizeToGguf({ base: home, out: gguf, to: undefined, jobs: 1, onPlan: (plan) => notices.push(...plan.notices) });
    expect(notices).toEqual([expect.stringMatching(/left out, .* bert do not have them: pooler.dense.bias, pooler.dense.weight$/)]);
    const [ref, loaded] = [tensorsOf(join(home, "ref.safetensors")), await loadPretrainedEncoder(gguf)];
    const input = (name: string): Tensor => {
      const { shape, bytes } = ref.get(name)!;
      return tensor(Int32Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number), { shape });
    };
    const [inputIds, attentionMask, tokenTypeIds] = ["input_ids", "attention_mask", "token_type_ids"].map(input) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const states = await loaded.forward({ inputIds, attentionMask, tokenTypeIds }).lastHiddenState.data();
    const want = floats(ref.get("last_hidden_state")!);
    expect(Math.max(...want.map((v, i) => Math.abs(v - states[i]!)))).toBeLessThan(1e-5);
    await convertCheckpoint({ base: gguf, out: back, dtype: "f32", jobs: 1 });
    const [theirs, ours] = [tensorsOf(join(home, "model.safetensors")), checkpointOf(back)];
    const named = [...theirs].flatMap(([key, { bytes }]) => (key.startsWith("pooler.") ? [] : [[`bert.${key}`, bytes]]));
    expect(Object.fromEntries([...ours].map(([key, { bytes }]) => [key, bytes]))).toEqual(Object.fromEntries(named));
    const pooling = JSON.parse(readFileSync(join(back, "1_Pooling/config.json"), "utf8")) as object;
    expect(pooling).toMatchObject({ word_embedding_dimension: 32, pooling_mode_cls_token: true, pooling_mode_mean_tokens: false });
    const again = JSON.parse(readFileSync(join(back, "config.json"), "utf8")) as { readonly type_vocab_size: number };
    expect(again.type_vocab_size).toBe(2);
  });

  it("gpt2, whose layers are stored [in, out], is quantised, merged into and dequantised as what it is", async () => {
    const home = model("gpt2");
    const theirs = tensorsOf(join(home, "model.safetensors"));
    const adapter = join(folder, "gpt2-lora");
    const module = "transformer.h.1.mlp.c_fc";
    await writeTensors(
      join(adapter, "adapter_model.safetensors"),
      new Map([
        [`base_model.model.${module}.lora_A.weight`, f32([2, 32], (i) => Math.sin(i))],
        [`base_model.model.${module}.lora_B.weight`, f32([128, 2], (i) => Math.cos(i))],
      ]),
    );
    const lora = { peft_type: "LORA", r: 2, lora_alpha: 2, target_modules: ["c_fc"], fan_in_fan_out: true };
    writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify(lora));
    await expectMerged(`${home}-q8.gguf`, (out) => quantizeToGguf({ base: home, out, to: "q8_0", jobs: 1 }));
    await expectMerged(`${home}-nf4`, (out) => quantizeCheckpoint({ base: home, out, to: "nf4", jobs: 1 }));

    /** What is quantised lies near the values, before and after a merge; f32 is written in transformers' order. */
    async function expectMerged(out: string, make: (out: string) => Promise<unknown>): Promise<void> {
      await make(out);
      const merged = out.replace("gpt2-", "gpt2-merged-");
      await mergeCheckpoint({ base: out, adapters: [{ path: adapter, scale: 1 }], out: merged, methods: ADAPTER_METHODS, jobs: 1 });
      const plain = floats(theirs.get(`${module}.weight`)!);
      const wanted = plain.map((v, i) => {
        const [row, column] = [Math.floor(i / 128), i % 128];
        return v + [0, 1].reduce((sum, r) => sum + Math.sin(r * 32 + row) * Math.cos(column * 2 + r), 0);
      });
      for (const [from, want] of [
        [out, plain],
        [merged, wanted],
      ] as const) {
        const values = `${from}-values`;
        await convertCheckpoint({ base: from, out: values, dtype: "f32", jobs: 1 });
        const got = checkpointOf(values).get(`${module}.weight`)!;
        expect(got.shape).toEqual([32, 128]);
        const off = floats(got).map((v, i) => v - want[i]!);
        expect(Math.hypot(...off)).toBeLessThan(0.12 * Math.hypot(...want));
      }
    }
  });

  it("adds 1 to the weights of Gemma's norms, and nothing to biases or other weights", async () => {
    const home = model("gemma2", { query_pre_attn_scalar: 16 });
    await quantizeToGguf({ base: home, out: `${home}.gguf`, to: "q8_0", jobs: 1 });
    const [file, theirs] = [await openGgufPath(`${home}.gguf`), tensorsOf(join(home, "model.safetensors"))];
    const norm = new Float32Array((await file.read("blk.1.post_ffw_norm.weight")).data.slice().buffer);
    floats(theirs.get("model.layers.1.post_feedforward_layernorm.weight")!).forEach((w, i) => expect(norm[i]).toBe(Math.fround(w + 1)));
    expect(file.tensors.get("blk.1.ffn_up.weight")?.type).toBe("Q8_0");
    expect(file.metadata.get("gemma2.attn_logit_softcapping")).toEqual({ type: "f32", value: 3 });
    await file.close();
  });

  it.each([
    ["gemma2", {}, /query_pre_attn_scalar is 12, and GGUF files of 2 layers with heads of 16 stand for 16/],
    ["gemma3_text", { query_pre_attn_scalar: 16, hidden_activation: "relu" }, /hidden_activation is "relu"/],
    ["smollm3", {}, /use_sliding_window is true/],
    ["smollm3", { use_sliding_window: false }, /layers without rotary embedding are not every fourth/],
    ["mamba", { use_bias: true }, /use_bias is true/],
    ["mamba2", { time_step_limit: [0.1, 1] }, /time_step_limit is \[0\.1,1\]/],
    ["llama_dynamic", {}, /scaled \("dynamic"\)/],
    ["rwkv", {}, /"rwkv" are not written as GGUF/],
  ] as const)("%s %j is refused, as no GGUF file says it", async (name, config, message) => {
    const home = model(name, config);
    await expect(quantizeToGguf({ base: home, out: `${home}-refused.gguf`, to: "f32" })).rejects.toThrow(message);
  });
});
