import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { expect, it, test } from "vitest";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { readTensor } from "@weft/adapter-files";
import { loraFactors } from "./lora-factors.js";

const PEFT = `${import.meta.dirname}/../../../../fixtures/peft`;

/** scale · B·A by three loops. */
function product({ A, B, scale, rank, inFeatures, outFeatures }: Awaited<ReturnType<typeof loraFactors>>): Float64Array {
  const delta = new Float64Array(outFeatures * inFeatures);
  for (let i = 0; i < outFeatures; i++)
    for (let j = 0; j < inFeatures; j++)
      for (let k = 0; k < rank; k++) delta[i * inFeatures + j]! += scale * B[i * rank + k]! * A[k * inFeatures + j]!;
  return delta;
}

test.each(["lora_linear", "lora_rslora", "lora_patterns"])("%s: scale · B·A is the change that PEFT makes", async (name) => {
  const [adapter, expected] = [
    await openAdapterFolder(`${PEFT}/${name}`, { methods: ADAPTER_METHODS }),
    await openWeights(`${PEFT}/${name}/case.safetensors`),
  ];
  for (const path of ["lin0", "lin1"]) {
    const factors = await loraFactors(adapter, path);
    const want = await readTensor(expected, `delta.${path}`);
    expect([factors.outFeatures, factors.inFeatures]).toEqual(want.shape);
    const got = product(factors);
    (await want.data()).forEach((value, i) => expect(got[i]).toBeCloseTo(value, 6));
  }
});

it("names in a file of kohya are as good as paths", async () => {
  const adapter = await openAdapterFolder(`${PEFT}/../lycoris/convert/sd-lora/kohya.safetensors`, { methods: ADAPTER_METHODS });
  const label = [...adapter.modules.values()][0]!.name!;
  const { A, B, rank, inFeatures, outFeatures } = await loraFactors(adapter, label);
  expect([A.length, B.length]).toEqual([rank * inFeatures, outFeatures * rank]);
});

it("a change that is more than two factors is refused, and so is a module that is not there", async () => {
  const dora = await openAdapterFolder(`${PEFT}/lora_dora`, { methods: ADAPTER_METHODS });
  await expect(loraFactors(dora, "lin0")).rejects.toMatchObject({
    kind: "not-a-lora",
    message: expect.stringContaining("dora_scale") as string,
  });
  await expect(loraFactors(dora, "lin7")).rejects.toMatchObject({
    kind: "no-such-module",
    hint: expect.stringContaining("lin0") as string,
  });
});
