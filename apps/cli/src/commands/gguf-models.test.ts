import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { convertCheckpoint, quantizeToGguf } from "@weft/checkpoint/node";
import { checkpointOf, editJson, tensorsOf } from "@weft/checkpoint/testing";
import { openGgufPath } from "@weft/io-gguf/node";
import { loadPretrained } from "@weft/models/node";
import { tensor } from "@weft/tensor-core";
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

const floats = ({ bytes }: { readonly bytes: Buffer }): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

describe("a model of transformers as a GGUF file, and back", () => {
  it.each([
    ["mamba", /A_log$/],
    ["mamba2", /A_log$/],
    ["phi3_longrope", undefined],
    ["llama_tied_llama3", undefined],
    ["llama_yarn", undefined],
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
