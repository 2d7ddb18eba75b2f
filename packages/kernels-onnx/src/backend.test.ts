import { readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cast,
  compile,
  dequantize,
  Device,
  type Executable,
  type Format,
  fromSource,
  grad,
  linear,
  matmul,
  mul,
  type PackedWeight,
  quantLinear,
  referenceDevice,
  square,
  sum,
  type Tensor,
} from "@weft/tensor-core";
import { integers, watch } from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import type { OnnxExecutable } from "./executable.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

/** Numbers from 0 to 250 in no order. */
const codes = (n: number, seed: number): Float64Array => Float64Array.from({ length: n }, (_, i) => ((i + seed) * 2654435761) % 251);

/** A packed weight of codes in no order. */
function packedWeight(device: Device, format: Format, size: readonly [number, number]): PackedWeight {
  const parts = Object.entries(format.parts(size)).map(([name, { shape, dtype }], i) => {
    const data = codes(shape[0]! * shape[1]!, i);
    return [name, device.tensor(name === "absmax" ? data.map((v) => (v + 1) / 1e4) : data, { shape, dtype })] as const;
  });
  return { format, shape: size, parts: Object.fromEntries(parts) };
}

/** A row through each of two weights of different heights. */
const rowTimesTwo = async (device: Device): Promise<number[]> => {
  const weights = [16, 32].map((rows) => packedWeight(device, integers({ bits: 4, group: 32, zeros: 5 }), [rows, 64]));
  const f = compile((x: Tensor) => weights.map((weight) => quantLinear(x, weight)), { device });
  const x = device.tensor(
    Float32Array.from({ length: 64 }, (_, i) => ((i * 37) % 101) / 50 - 1),
    { shape: [1, 64] },
  );
  return (await Promise.all((await f(x)).map((y) => y.data()))).flatMap((values) => [...values]);
};

/** The sizes of the files with constants of this process; undefined if it has no folder for them. */
const sizes = (): number[] | undefined => {
  const folder = readdirSync(tmpdir()).find((name) => name.startsWith(`weft-onnx-${process.pid}-`));
  return folder === undefined ? undefined : readdirSync(join(tmpdir(), folder)).map((name) => statSync(join(tmpdir(), folder, name)).size);
};

describe.skipIf(!hasRuntime())(`the backend on onnxruntime${REASON}`, () => {
  it("leaves the event loop free while it runs", async () => {
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const x = device.tensor(new Float32Array(512 * 512).fill(1e-3), { shape: [512, 512] });
    const powers = compile((t: Tensor) => Array.from({ length: 40 }).reduce((y: Tensor) => matmul(y, t), t));
    await powers.prepare(x);
    const state = { running: true };
    const done = powers(x).finally(() => (state.running = false));
    let turns = 0;
    for (; state.running; turns++) await new Promise((resolve) => setImmediate(resolve));
    await done;
    expect(turns).toBeGreaterThan(5);
  });

  it("gives an error for what is asked for after dispose, and to what waits", async () => {
    const device = new Device(await createOnnxBackend({ threads: 1 }));
    const x = device.tensor([1, 2]);
    await mul(x, 2).data();
    device.dispose();
    device.dispose();
    await expect(device.backend.download(device.backend.allocate(8), 0, 8)).rejects.toThrow("after dispose()");
  });

  it("runs what was asked for at once in the order of the calls", async () => {
    using device = new Device(await createOnnxBackend({ threads: 2 }));
    const double = compile((t: Tensor) => mul(t, 2), { device });
    const inputs = Array.from({ length: 20 }, (_, i) => device.tensor([i, i + 0.5]));
    const results = await Promise.all(inputs.map((t) => double(t)));
    for (const [i, r] of results.entries()) expect([...(await r.data())]).toEqual([2 * i, 2 * i + 1]);
  });

  it.each(["f32", "bf16", "f16"] as const)(
    "keeps %s weights of products with few rows in the model, and computes the same",
    async (dtype) => {
      const backend = await createOnnxBackend({ threads: 1 });
      using device = new Device(backend);
      const values = Float32Array.from({ length: 200 * 64 }, (_, i) => ((i * 37) % 101) / 50 - 1);
      const weight = cast(device.tensor(values, { shape: [200, 64] }), dtype);
      await device.evaluate([weight]);
      const layer = compile((t: Tensor) => linear(t, weight), { device });
      const x = device.tensor(values.subarray(0, 64), { shape: [1, 64] });
      const { executable } = await layer.prepare(x);
      using expected = linear(x, weight); // not compiled: its weight is an input
      const wanted = [...(await expected.data())];
      expect([...(await (await layer(x)).data())].map((v, i) => Math.abs(v - wanted[i]!) < 1e-5)).toEqual(wanted.map(() => true));
      expect((executable as OnnxExecutable).fed).toBe(1);
    },
  );

  describe.each([
    [4, 8],
    [4, "each"],
    [8, 128],
  ] as const)("weights of %i bits, zero %s", (bits, zeros) => {
    const [out, width] = [48, 256];
    const format = integers({ bits, group: 64, zeros });
    const values = Float32Array.from({ length: width }, (_, i) => ((i * 37) % 101) / 50 - 1);
    const weight = (device: Device): PackedWeight => packedWeight(device, format, [out, width]);
    const run = async (activations: "f32" | "int8"): Promise<{ got: Float32Array; executable: OnnxExecutable }> => {
      using device = new Device(await createOnnxBackend({ threads: 1, activations }));
      const packed = weight(device);
      const layer = compile((t: Tensor) => quantLinear(t, packed), { device });
      const x = device.tensor(values, { shape: [1, width] });
      const { executable } = await layer.prepare(x);
      return { got: (await (await layer(x)).data()) as Float32Array, executable: executable as OnnxExecutable };
    };
    const exact = async (): Promise<readonly number[]> => {
      const w = await dequantize(weight(referenceDevice())).data();
      return Array.from({ length: out }, (_, o) => values.reduce((before, v, i) => before + v * w[o * width + i]!, 0));
    };

    it("are multiplied as they are, and handed over once", async () => {
      const { got, executable } = await run("f32");
      expect(executable.kernels.filter((name) => name === "affineLinear").length).toBe(bits === 4 ? 1 : 2);
      expect(executable.fed).toBe(1);
      for (const [o, want] of (await exact()).entries()) expect(Math.abs(got[o]! - want)).toBeLessThan(1e-4);
    });

    it("are multiplied with eight bits of the other factor, where that is asked for, within what is said of it", async () => {
      const { got, executable } = await run("int8");
      expect(executable.kernels).toEqual(["affineLinear"]);
      const w = await dequantize(weight(referenceDevice())).data();
      const bound = (o: number): number => {
        let total = 1e-4;
        for (let i = 0; i < width; i++) {
          const block = values.subarray(i - (i % 64), i - (i % 64) + 64);
          total += (Math.abs(w[o * width + i]!) * block.reduce((most, v) => Math.max(most, Math.abs(v)), 0)) / 254;
        }
        return total;
      };
      const wanted = await exact();
      for (const [o, want] of wanted.entries()) expect(Math.abs(got[o]! - want)).toBeLessThanOrEqual(bound(o));
      expect(wanted.some((want, o) => Math.abs(got[o]! - want) > 1e-3)).toBe(true);
    });
  });

  it("decodes packed weights once for products of any number of rows, and for gradients", async () => {
    const [rows, out, width] = [40, 48, 64];
    const format = integers({ bits: 4, group: 32, zeros: "each" });
    const gradient = async (device: Device): Promise<{ values: number[]; executable: Executable }> => {
      const packed = packedWeight(device, format, [out, width]);
      const f = compile(
        grad((x: Tensor) => sum(square(quantLinear(x, packed)))),
        { device },
      );
      const x = device.tensor(
        Float32Array.from({ length: rows * width }, (_, i) => ((i * 37) % 101) / 50 - 1),
        { shape: [rows, width] },
      );
      const { executable } = await f.prepare(x);
      return { values: [...(await (await f(x)).data())], executable };
    };
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const { values, executable } = await gradient(device);
    const { values: expected } = await gradient(referenceDevice());
    const size = Math.max(...expected.map(Math.abs));
    expect(Math.max(...values.map((v, i) => Math.abs(v - expected[i]!)))).toBeLessThan(1e-5 * size);
    expect((executable as OnnxExecutable).fed).toBe(1);
    // y = x·Wᵀ as it is packed, 2y, and that times the decoded weight.
    expect(executable.kernels.filter((name) => name === "affineLinear" || name === "matmul")).toEqual(["affineLinear", "matmul"]);
    expect(executable.kernels.length).toBeLessThanOrEqual(3);
  });

  it("multiplies weights of different heights whose zero is the same", async () => {
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const [got, expected] = [await rowTimesTwo(device), await rowTimesTwo(referenceDevice())];
    expect(got.length).toBe(expected.length);
    expect(Math.max(...got.map((v, i) => Math.abs(v - expected[i]!)))).toBeLessThan(1e-5);
  });

  it("has the constants of all its models in one folder, each once and for as long as one of them needs it", async () => {
    const device = new Device(await createOnnxBackend({ threads: 1 }));
    const weight = cast(device.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] }), "bf16");
    await device.evaluate([weight]);
    const layers = [1, 2].map((scale) => compile((t: Tensor) => mul(linear(t, weight), scale), { device }));
    for (const rows of [1, 8])
      for (const layer of layers) {
        using y = await layer(device.tensor(new Float32Array(rows * 64).fill(1), { shape: [rows, 64] }));
        expect((await y.data())[0]).toBe(layer === layers[0] ? 32 : 64);
      }
    expect(sizes(), "widened, for four models").toEqual([4 * 64 * 64]);
    for (const [i, left] of [1, 0].entries()) {
      layers[i]!.dispose();
      await expect.poll(sizes).toHaveLength(left);
    }
    device.dispose();
    expect(sizes()).toBeUndefined();
  });

  it("lets go of weights that its model holds, which are read again where something else needs them", async () => {
    const { backend, live } = watch(await createOnnxBackend({ threads: 1 }));
    using device = new Device(backend);
    const values = Float32Array.from({ length: 128 * 64 }, (_, i) => (i % 11) / 8);
    let reads = 0;
    const read = (): Uint8Array => (reads++, new Uint8Array(values.slice().buffer));
    const weight = fromSource({ shape: [128, 64], dtype: "f32", device, read });
    const layer = compile((t: Tensor) => [linear(t, weight), weight], { device });
    const alone = compile((t: Tensor) => linear(t, weight), { device });
    const x = device.tensor(values.subarray(0, 64), { shape: [1, 64] });
    using first = await alone(x);
    expect(live(), "x and the result").toBe(2);
    using second = await alone(x);
    expect([...(await second.data())]).toEqual([...(await first.data())]);
    expect(reads).toBe(1);
    using other = await compile((t: Tensor) => linear(mul(t, 2), weight), { device })(x);
    expect([...(await other.data())]).toEqual([...(await first.data())].map((v) => 2 * v));
    expect(reads, "what another model holds is not read again").toBe(1);
    const [y, same] = (await layer(x)) as [Tensor, Tensor];
    expect([...(await y.data())]).toEqual([...(await first.data())]);
    expect([...(await same.data())]).toEqual([...values]);
    expect(reads).toBe(2);
  });
});
