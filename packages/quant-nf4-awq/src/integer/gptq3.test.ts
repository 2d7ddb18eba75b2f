import { readFileSync } from "node:fs";
import { openSafetensors } from "@weft/io-safetensors";
import { expect, test } from "vitest";
import { dequantize, gptq, GPTQ_FILES, requantize } from "../index.js";

/** A layer that GPTQModel packed (fixtures/make_gptq3.py): each zero point at each place of its words, two of which lie across a border. */
const file = await openSafetensors(Uint8Array.from(readFileSync(new URL("../../../../fixtures/quant/gptq3.safetensors", import.meta.url))));

test.each(["gptq", "gptq_v2"] as const)(
  "three bits of %s have GPTQModel's zero points, those across two words, too",
  async (checkpoint_format) => {
    const names = [["qweight"], ["qzeros", checkpoint_format === "gptq" ? "v1.qzeros" : "v2.qzeros"], ["scales"], ["g_idx"]] as const;
    const tensors = new Map(await Promise.all(names.map(async ([key, stored = key]) => [key, await file.read(stored)] as const)));
    const weight = GPTQ_FILES.read(tensors, { config: { bits: 3, group_size: 8, checkpoint_format } });
    const { data } = await file.read("dequant");
    expect(await dequantize({ ...weight, dtype: "f32" })).toEqual(new Float32Array(data.slice().buffer));
    const other = checkpoint_format === "gptq" ? "gptq_v2" : "gptq";
    const { error, weight: turned } = await requantize(weight, gptq({ bits: 3, groupSize: 8, checkpointFormat: other }));
    expect(error).toBe(0);
    expect(GPTQ_FILES.write!(turned).get("qzeros")).toEqual(await file.read(other === "gptq" ? "v1.qzeros" : "v2.qzeros"));
  },
);
