import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { cast } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { device, fixture, SMALL_LORA } from "../testing/fixtures.js";
import { firstScale, nextScale } from "./loss-scale.js";
import type { TrainingPosition } from "./record.js";
import { train } from "./train.js";

it("halves where gradients are no numbers, and doubles after 2000 steps", () => {
  expect(nextScale({ value: 65536, goodSteps: 7 }, false)).toEqual({ value: 32768, goodSteps: 0 });
  expect(nextScale({ value: 1024, goodSteps: 7 }, true)).toEqual({ value: 1024, goodSteps: 8 });
  expect(nextScale({ value: 1024, goodSteps: 1999 }, true)).toEqual({ value: 2048, goodSteps: 0 });
});

it("a model in f16 trains as in f32, and the steps that its scale was too large for are made again with a smaller one", async () => {
  const model = await loadPretrained(fixture("models", "llama"), { device });
  const half = model.withWeights(new Map([...model.weights].map(([name, t]) => [name, cast(t, "f16")])));
  const inputIds = [0, 1].map((r) => Array.from({ length: 12 }, (_, i) => 3 + ((7 * r + 5 * i) % 90)));
  const run = async (base: typeof model, gradientAccumulationSteps: number): Promise<{ losses: number[]; position: TrainingPosition }> => {
    const peft = await getPeftModel<CausalInputs, CausalOutput>(base as never, SMALL_LORA, { methods: LORA_METHODS, seed: 3 });
    const batch = { inputIds, labels: inputIds };
    const training = train(peft, [batch, batch], {
      maxSteps: 6,
      learningRate: 1e-2,
      lrSchedulerType: "constant",
      gradientAccumulationSteps,
    });
    const losses: number[] = [];
    for await (const { loss } of training) losses.push(loss);
    return { losses, position: training.snapshot().position };
  };
  expect([firstScale({ baseModel: model } as never), firstScale({ baseModel: half } as never)?.value]).toEqual([null, 65536]);
  for (const micro of [1, 2]) {
    const [full, scaled] = [await run(model, micro), await run(half as typeof model, micro)];
    full.losses.forEach((loss, i) => expect(Math.abs(loss - scaled.losses[i]!)).toBeLessThan(0.02));
    expect(full.position.lossScale).toBeNull();
    // Half of 65536 once or more often: gradients of the logits are larger than what f16 holds at first.
    expect(scaled.position.lossScale!.value).toBeLessThan(65536);
    expect(scaled.position.lossScale!.goodSteps).toBeGreaterThan(0);
  }
});
