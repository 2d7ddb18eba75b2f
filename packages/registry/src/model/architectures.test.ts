import { fileURLToPath } from "node:url";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { grad, mean, square, tensor, type Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { filled } from "../testing/every-field.js";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedModel } from "./hooked-model.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../../../fixtures/models/${name}`, import.meta.url));
const inputIds = tensor(Int32Array.of(3, 14, 15, 92, 65, 35, 8, 9), { shape: [2, 4] });
type Loaded = HookedModel<{ readonly inputIds: Tensor }, { readonly hiddenStates: readonly Tensor[]; readonly logits?: Tensor }>;
const load = (name: string): Promise<Loaded> =>
  (name === "bert" ? loadPretrainedEncoder(fixture(name)) : loadPretrained(fixture(name))) as Promise<Loaded>;
const result = (model: Loaded, adapted?: { forward(inputs: { inputIds: Tensor }): ReturnType<Loaded["forward"]> }): Tensor => {
  const { logits, hiddenStates } = (adapted ?? model).forward({ inputIds });
  return logits ?? hiddenStates.at(-1)!;
};
const worst = async (a: Tensor, b: Tensor): Promise<number> => {
  const [x, y] = [await a.data(), await b.data()];
  return Math.max(...Array.from(x, (v, i) => Math.abs(v - y[i]!)));
};

const ALL = { peft_type: "LORA", r: 2, target_modules: "all-linear" };
/** What PEFT takes where `target_modules` is not given; Mamba, SmolLM3 and Phi-3 are not in its table. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  llama: ["q_proj", "v_proj"],
  gemma2: ["q_proj", "v_proj"],
  gemma3_text: ["q_proj", "v_proj"],
  gpt2: ["c_attn"],
  bert: ["query", "value"],
  rwkv: ["key", "value", "receptance", "output"],
};

describe.each(["llama", "qwen3", "smollm3", "phi3", "gemma2", "gemma3_text", "gpt2", "bert", "rwkv", "mamba", "mamba2"])(
  "LoRA on %s",
  (name) => {
    it("is on every projection by all-linear, acts and trains through each of them, and merges into what it does", async () => {
      const model = await load(name);
      const peft = await getPeftModel(model, ALL, { methods: LORA_METHODS, seed: 1 });
      const linear = [...model.namedModules()]
        .filter(([, { kind, outputEmbedding }]) => kind === "linear" && !outputEmbedding)
        .map(([path]) => path);
      expect(Object.keys(peft.parameters().layers).toSorted()).toEqual(linear.toSorted());

      const start = peft.parameters();
      const moved = Object.fromEntries(Object.entries(start.layers).map(([path, params], i) => [path, filled(params, 10 * i)]));
      peft.setParameters({ ...start, layers: moved });
      const grads = grad((p: ReturnType<typeof peft.parameters>) => mean(square(result(model, peft.withParameters(p)))))(peft.parameters());
      // BERT's result here is that of the last block, which the pooler comes after.
      for (const [path, params] of Object.entries(grads.layers).filter(([at]) => at !== "pooler.dense"))
        for (const [key, g] of Object.entries(params))
          expect(Math.max(...(await g.data()).map(Math.abs)), `${path} ${key}`).toBeGreaterThan(1e-9);

      const adapted = result(model, peft);
      expect(await worst(adapted, result(model))).toBeGreaterThan(1e-2);
      expect(await worst(result(peft.mergeAndUnload() as Loaded), adapted)).toBeLessThan(2e-5);
    });

    it.runIf(name in DEFAULTS)("is where PEFT puts it by default", async () => {
      const peft = await getPeftModel(await load(name), { peft_type: "LORA" }, { methods: LORA_METHODS });
      const names = new Set(Object.keys(peft.parameters().layers).map((path) => path.slice(path.lastIndexOf(".") + 1)));
      expect([...names].toSorted()).toEqual([...DEFAULTS[name]!].toSorted());
    });
  },
);

it("LoRA is on embeddings, and on a convolution over time, which has no merged form", async () => {
  const model = await load("mamba");
  const fields = { peft_type: "LORA", r: 64, target_modules: ["conv1d", "embeddings"] };
  const peft = await getPeftModel(model, fields, { methods: LORA_METHODS, seed: 1, onWarning: () => {} });
  const start = peft.parameters();
  const on = (ending: string): Tensor => {
    const layers = Object.entries(start.layers).map(
      ([path, params], i) => [path, path.endsWith(ending) ? filled(params, 10 * i) : params] as const,
    );
    peft.setParameters({ ...start, layers: Object.fromEntries(layers) });
    return result(model, peft);
  };
  const base = result(model);
  for (const ending of ["conv1d", "embeddings"]) expect(await worst(on(ending), base), ending).toBeGreaterThan(1e-2);
  expect(() => peft.mergeAndUnload()).toThrow("LoRA on a grouped convolution has no ΔW");
});
