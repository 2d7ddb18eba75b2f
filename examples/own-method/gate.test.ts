import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { methodTable, PEFT_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { PeftModel } from "@weft/registry";
import { loadPeftModel, savePretrained } from "@weft/registry/node";
import type { LayerSpec } from "@weft/tensor-core";
import { methodChecks } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it, test } from "vitest";
import { GATE, GateConfig } from "./gate.js";
import { TwoLayers, wave } from "./two-layers.js";

const linear: LayerSpec = { kind: "linear", shape: [5, 4], dtype: "f32", bias: true };
describe("the gate is a method like any other", () => {
  test.each(methodChecks(GATE, [{ name: "a linear layer", config: new GateConfig(), layer: linear }]))("$name", ({ run }) => run());
});

const folder = mkdtempSync(join(tmpdir(), "weft-gate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("is created, trained, mixed with a LoRA in one batch, merged, saved and loaded, with one line in a table of methods", async () => {
  const methods = methodTable(PEFT_METHODS, GATE);
  const model = new TwoLayers();
  const peft = new PeftModel(model, methods);
  await peft.addAdapter("default", new GateConfig({ targetModules: "all-linear", gateInit: 0.5 }));
  const x = wave([2, 4], 3);
  expect(await peft.forward(x).data()).toEqual(await model.forward(x).data());

  const { layers, ...rest } = peft.parameters();
  peft.setParameters({
    ...rest,
    layers: Object.fromEntries(Object.entries(layers).map(([path, { u, v }]) => [path, { u: wave([...u!.shape]), v: v! }])),
  });
  const y = await peft.forward(x).data();
  const merged = await peft.mergeAndUnload().forward(x).data();
  y.forEach((value, i) => expect(value).toBeCloseTo(merged[i]!, 5));

  await peft.addAdapter("lora", new LoraConfig({ r: 2, targetModules: ["second"], initLoraWeights: false }));
  const mixed = await peft.forward(x, { adapterNames: ["default", "lora"] }).data();
  mixed.slice(0, 3).forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 5));

  await savePretrained(peft as never, folder, { adapterNames: ["default"] });
  expect(JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"))).toMatchObject({
    peft_type: "GATE",
    gate_init: 0.5,
    target_modules: "all-linear",
  });
  const again = await loadPeftModel(model, folder, { methods });
  expect(await again.forward(x).data()).toEqual(y);
  const written = readFileSync(join(folder, "adapter_config.json"), "utf8");
  await savePretrained(again as never, folder);
  expect(readFileSync(join(folder, "adapter_config.json"), "utf8")).toBe(written);
});
