import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createWasmBackend } from "@weft/kernels-wasm";
import {
  bytesPerElement,
  cast,
  compile,
  Device,
  type DType,
  encode,
  fromBf16,
  fromF16,
  fromF8e4m3,
  fromF8e5m2,
  type Operand,
  type Tensor,
  toBf16,
  toF16,
  toF8e4m3,
  toF8e5m2,
} from "@weft/tensor-core";
import type { BenchContext, Suite } from "../../context.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";
import { numbers } from "../matmul/product.js";

/** Conversions of one number, as a plain loop would call them. */
const SCALAR = { f16: [toF16, fromF16], bf16: [toBf16, fromBf16], f8e4m3: [toF8e4m3, fromF8e4m3], f8e5m2: [toF8e5m2, fromF8e5m2] } as const;
type Small = keyof typeof SCALAR;

export const convertSuite: Suite = {
  name: "convert-dtype",
  summary: "f32 to and from f16, bf16, f8: weft on one thread against a plain loop and torch",
  async run(context) {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
    try {
      const values = numbers(context.quick ? 1 << 12 : 1 << 22, 13);
      for (const small of Object.keys(SCALAR) as Small[]) {
        const narrow = encode(values, small);
        const wide = new Uint8Array(values.buffer);
        const widened = Float32Array.from(bitsOf(narrow, small), (bits) => SCALAR[small][1](bits));
        await measure({ from: "f32", to: small, bytes: wide, want: narrow }, { device, folder, context });
        await measure({ from: small, to: "f32", bytes: narrow, want: new Uint8Array(widened.buffer) }, { device, folder, context });
      }
    } finally {
      rmSync(folder, { recursive: true });
      device.dispose();
    }
  },
};

interface Conversion {
  readonly from: "f32" | Small;
  readonly to: "f32" | Small;
  readonly bytes: Uint8Array;
  /** What the scalar reference gives, bit for bit. */
  readonly want: Uint8Array;
}

const bitsOf = (bytes: Uint8Array, dtype: DType): Uint8Array | Uint16Array =>
  bytesPerElement(dtype) === 2 ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) : bytes;

async function measure(
  { from, to, bytes, want }: Conversion,
  { device, folder, context }: { readonly device: Device; readonly folder: string; readonly context: BenchContext },
): Promise<void> {
  const count = bytes.length / bytesPerElement(from);
  const name = `${from} → ${to}, ${count} numbers`;
  const input = device.fromBytes(bytes, [count], from);
  const conversion = compile((x: Tensor) => cast(x, to), { device });
  const { executable } = await conversion.prepare(input);
  const [{ buffer: id }] = executable.plan.outputs as [Operand];
  const output = device.backend.allocate(executable.plan.buffers[id]!.bytes);
  const run = (): void | Promise<void> => device.backend.run(executable, [device.bufferOf(input)], [output]);
  await run();
  const got = await device.backend.download(output, 0, want.length);
  if (Buffer.compare(got, want) !== 0) throw new Error(`${name}: weft's bytes are not those of the scalar reference`);

  const contestants: Contestant[] = [
    { name: "weft 1 thread", turn: (seconds) => timeCalls(run, seconds) },
    { name: "plain loop", turn: (seconds) => timeCalls(plainLoop(bytes, from, to, count), seconds) },
  ];
  const python = await context.python();
  if (python) {
    const file = join(folder, "x");
    writeFileSync(file, bytes);
    await python.call({ cmd: "load", name: "x", file, shape: [count], dtype: from });
    contestants.push({
      name: "torch 1 thread",
      turn: async (seconds) => (await python.call({ cmd: "time", op: "cast", args: ["$x", to], threads: 1, seconds }))["seconds"] as number,
    });
  }
  const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.2 });
  const moved = count * (bytesPerElement(from) + bytesPerElement(to));
  for (const [who, { best, spread, rounds }] of times) {
    const common = {
      suite: "convert-dtype",
      case: `${name}, ${who}`,
      metric: "speed",
      value: moved / best / 1e9,
      unit: "GB/s",
      spread,
      rounds,
    };
    if (who !== "weft 1 thread") context.emit({ ...common, anchor: null, ratio: null });
    else
      for (const anchor of [...times.keys()].filter((other) => other !== who))
        context.emit({ ...common, anchor, ratio: times.get(anchor)!.best / best });
  }
  conversion.dispose();
  device.backend.free(output);
}

function plainLoop(bytes: Uint8Array, from: Conversion["from"], to: Conversion["to"], count: number): () => void {
  if (from === "f32") {
    const [source, result, convert] = [
      new Float32Array(bytes.buffer, bytes.byteOffset, count),
      to === "f32" || bytesPerElement(to) === 2 ? new Uint16Array(count) : new Uint8Array(count),
      SCALAR[to as Small][0],
    ];
    return () => {
      for (let i = 0; i < count; i++) result[i] = convert(source[i]!);
    };
  }
  const [source, result, convert] = [bitsOf(bytes, from), new Float32Array(count), SCALAR[from][1]];
  return () => {
    for (let i = 0; i < count; i++) result[i] = convert(source[i]!);
  };
}
