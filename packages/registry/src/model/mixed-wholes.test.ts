import { fileURLToPath } from "node:url";
import type { OpenedAdapter } from "@weft/adapter-files";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { LilyConfig } from "@weft/adapters-model";
import { ADAPTER_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { type Tensor, tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filled } from "../testing/every-field.js";
import { PeftModel } from "./peft-model.js";

const fixtures = fileURLToPath(new URL("../../../../fixtures/modelwide/", import.meta.url));
const model = await loadPretrained(`${fixtures}llama_base`);
const opened: (readonly [string, OpenedAdapter])[] = [];
for (const i of [0, 1]) opened.push([`${i}`, await openAdapterFolder(`${fixtures}xlora_llama/expert_${i}`, { methods: ADAPTER_METHODS })]);
afterAll(() => Promise.all(opened.map(([, { weights }]) => weights.close())));

const MODULES = ["q_proj", "v_proj"];
/** Adapters that act on attentions and blocks, look at the whole model before, ask for tasks, or act on a part of each sequence; and two that do not. */
const CONFIGS = {
  attention: { peft_type: "ADAPTION_PROMPT", adapter_len: 2, adapter_layers: 2, target_modules: "self_attn" },
  experts: { peft_type: "XLORA", hidden_size: 32, adapters: { 0: "given", 1: "given" } },
  shadow: { peft_type: "SHADOW", r: 2, target_modules: ["layers.1", "layers.2"], shadow_hidden_size: 16 },
  tasks: { peft_type: "POLY", r: 2, n_tasks: 2, n_skills: 2, target_modules: MODULES },
  invoked: { peft_type: "LORA", r: 2, target_modules: MODULES, alora_invocation_tokens: [14, 15] },
  scaled: { peft_type: "IA3", target_modules: MODULES, feedforward_modules: [] },
  plain: { peft_type: "LORA", r: 3, target_modules: MODULES },
};
const names = Object.keys(CONFIGS);
const rows = [...names, "__base__"];
const peft = new PeftModel(model, ADAPTER_METHODS);
const inputIds = tensor(
  Int32Array.from({ length: 5 * rows.length }, (_, i) => [3, 14, 15, 9, 26][i % 5]! + (i % 5 === 1 || i % 5 === 2 ? 0 : Math.floor(i / 5))),
  { shape: [rows.length, 5] },
);
const taskIds = tensor(Int32Array.from(rows, (_, i) => i % 2));

beforeAll(async () => {
  for (const [i, [name, config]] of Object.entries(CONFIGS).entries()) {
    await peft.addAdapter(name, config, { seed: i, experts: new Map(opened), onWarning: () => {} });
    const { layers, shared, ...rest } = peft.parameters(name);
    peft.setParameters(
      {
        ...rest,
        shared: filled(shared, 100 * i + 70),
        layers: Object.fromEntries(Object.entries(layers).map(([path, params], j) => [path, filled(params, 100 * i + j)])),
      },
      name,
    );
  }
});

describe("adapters that need the whole batch", () => {
  it("act on their rows of it, by name and by number", async () => {
    const logits = async (t: { readonly logits: Tensor }): Promise<number[][]> => {
      const all = [...(await t.logits.data())];
      const size = all.length / rows.length;
      return rows.map((_, i) => all.slice(size * i, size * (i + 1)));
    };
    const base = await logits(model.forward({ inputIds }));
    const mixed = await logits(peft.forward({ inputIds }, { adapterNames: rows, taskIds }));
    await peft.prepareBatch(names);
    const numbered = await logits(
      peft.forward({ inputIds }, { adapterIndex: tensor(Int32Array.from(rows, (name) => names.indexOf(name))), taskIds }),
    );
    for (const [i, name] of names.entries()) {
      peft.setAdapter(name);
      const alone = (await logits(peft.forward({ inputIds }, name === "tasks" ? { taskIds } : {})))[i]!;
      const moved = Math.max(...alone.map((v, at) => Math.abs(v - base[i]![at]!)));
      expect(moved, `${name} does something`).toBeGreaterThan(1e-3);
      for (const found of [mixed[i]!, numbered[i]!])
        expect(Math.max(...alone.map((v, at) => Math.abs(v - found[at]!))), name).toBeLessThan(1e-5 * Math.max(1, ...alone.map(Math.abs)));
    }
    expect(mixed.at(-1)).toEqual(base.at(-1));
  });

  it("are refused where rows are not their own", async () => {
    const others = new PeftModel(model, ADAPTER_METHODS);
    const prompt = { peft_type: "PROMPT_TUNING", num_virtual_tokens: 2, task_type: "CAUSAL_LM" };
    await others.addAdapter("lily", new LilyConfig({ r: 2, targetModules: MODULES }));
    await others.addAdapter("prompt", prompt);
    const run = (name: string) => (): unknown => others.forward({ inputIds }, { adapterNames: rows.map(() => name) });
    expect(run("lily")).toThrow('adapter "lily" (LILY) looks at all rows: its mix of B is averaged over the batch');
    expect(run("prompt")).toThrow('adapter "prompt" (PROMPT_TUNING) puts positions in front of its rows');
    expect(() => peft.forward({ inputIds }, { adapterNames: rows.map(() => "plain"), taskIds })).toThrow(
      "none of the active adapters (plain) has tasks",
    );
  });
});
