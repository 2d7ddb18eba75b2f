import { readFileSync } from "node:fs";
import { openSafetensors, type TensorView } from "@weft/io-safetensors";
import { dequantize as lazily, rows } from "@weft/tensor-core";
import { describe, expect, it, test } from "vitest";
import { dequantize, HQQ_FILES, QUANT_FILES, toPacked, unpack } from "../index.js";

/** What hqq stored, and made of it again (fixtures/make_hqq.py). */
const source = await openSafetensors(Uint8Array.from(readFileSync(new URL("../../../../fixtures/quant/hqq.safetensors", import.meta.url))));
const cases = new Map<string, Map<string, TensorView>>();
for (const name of source.names()) {
  const [prefix, field] = name.split("/") as [string, string];
  cases.set(prefix, (cases.get(prefix) ?? new Map()).set(field, await source.read(name)));
}
const floats = ({ data }: TensorView): Float32Array => new Float32Array(data.slice().buffer);

describe.each([...cases])("hqq %s", (name, all) => {
  const tensors = new Map([...all].filter(([field]) => field !== "dequant"));
  const weight = HQQ_FILES.read(tensors);

  it("has its values", async () => {
    expect(QUANT_FILES.find((files) => files.matches(tensors))).toBe(HQQ_FILES);
    expect(await dequantize(weight)).toEqual(floats(all.get("dequant")!));
    expect(weight.dtype).toBe(name.includes("bfloat16") ? "bf16" : name.includes("float16") ? "f16" : "f32");
  });

  it("has rows that are those of the whole", async () => {
    const whole = lazily(toPacked(weight));
    expect(await rows(whole, 3, 6).data()).toEqual((await whole.data()).slice(3 * 128, 6 * 128));
    if (name.includes("axis1")) expect(Math.max(...(await unpack(weight)))).toBeLessThan(2 ** weight.format.bits);
  });
});

test("what is not as expected is refused, and named", () => {
  const good = cases.get("4bit.axis1.g64.float32")!;
  const read = (change: (map: Map<string, TensorView>) => void): (() => unknown) => {
    const map = new Map(good);
    change(map);
    return () => HQQ_FILES.read(map, { path: "q" });
  };
  const number = (value: number): TensorView => ({ dtype: "I32", shape: [], data: new Uint8Array(Int32Array.of(value).buffer) });
  expect(read(() => {})).not.toThrow();
  expect(read((map) => map.set("nbits", number(5)))).toThrow("q.nbits is 5, expected 1, 2, 3, 4 or 8");
  expect(read((map) => map.set("nbits", number(8)))).toThrow("q.W_q has 2048 bytes, expected 4096");
  expect(read((map) => map.set("group_size", number(60)))).toThrow("q.group_size is 60");
  expect(read((map) => map.set("axis", number(2)))).toThrow("q.axis is 2");
  expect(read((map) => map.set("quant_zero", { dtype: "U8", shape: [], data: Uint8Array.of(1) }))).toThrow("q.quant_zero is set");
  expect(read((map) => map.delete("zero"))).toThrow("q.zero is missing");
});
