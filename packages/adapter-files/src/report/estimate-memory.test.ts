import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { expect, it, test } from "vitest";
import { openAdapterFolder } from "../node/open-adapter-folder.js";
import { estimateMemory } from "./estimate-memory.js";

const PEFT = `${import.meta.dirname}/../../../../fixtures/peft`;
const base = await openWeights(`${PEFT}/llama_base`);
const bytesOf = (names: Iterable<string>): number => [...names].reduce((sum, name) => sum + base.info(name).bytes, 0);

it("a model alone takes what its tensors take", async () => {
  expect(await estimateMemory(base)).toEqual({ base: bytesOf(base.names()), adapter: 0, merge: 0, training: 0 });
});

test.each(["llama_lora", "llama_dora_all_linear", "llama_ln_tuning"])(
  "%s: every tensor of the file in f32, every changed weight once more",
  async (name) => {
    const adapter = await openAdapterFolder(`${PEFT}/${name}`, { methods: ADAPTER_METHODS });
    const merged = await openWeights(`${PEFT}/${name}/case.safetensors`);
    const { weights } = adapter;
    const elements = [...weights.names()].reduce((sum, key) => sum + weights.info(key).shape.reduce((a, b) => a * b, 1), 0);
    const changed = [...merged.names()].filter((key) => key.startsWith("merged.")).map((key) => key.slice("merged.".length));
    const replaced = changed.filter((key) => adapter.modulesToSave.has(key));
    const estimate = await estimateMemory(base, adapter);
    expect(estimate.adapter).toBe(4 * elements);
    expect(estimate.merge).toBe(bytesOf(changed.filter((key) => !replaced.includes(key))));
    // All of these train whatever they hold.
    expect(estimate.training).toBe(3 * 4 * elements);
  },
);

it("an adapter of another model is refused", async () => {
  const adapter = await openAdapterFolder(`${PEFT}/lora_linear`, { methods: ADAPTER_METHODS });
  await expect(estimateMemory(base, adapter)).rejects.toThrow(/0 of 2 modules/);
});
