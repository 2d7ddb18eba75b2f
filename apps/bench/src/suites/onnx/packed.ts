import { type Activations, createOnnxBackend } from "@weft/kernels-onnx";
import { awq, fourBit, GGUF_TYPES, quantize, type QuantFormat, toPacked } from "@weft/quant-nf4-awq";
import { compile, dequantize, Device, linear, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { takeTurns, timeCalls } from "../../turns.js";

const LAYERS = 8;
/** How many times as fast as f32 four bits are to be where the other factor is rounded to eight, and where nothing is. */
const GOALS: Readonly<Record<Activations, number>> = { int8: 4, f32: 1 };

/** A contestant: the weights' format (f32 without), what they are multiplied with, and how far the result may lie from that of the same weights in f32. */
interface Case {
  readonly name: string;
  readonly format?: QuantFormat;
  readonly activations: Activations;
}

const CASES: readonly Case[] = [
  { name: "f32", activations: "f32" },
  ...[GGUF_TYPES.Q4_0, awq(), GGUF_TYPES.Q8_0, fourBit()].flatMap((format) =>
    (["f32", "int8"] as const).map((activations) => ({ name: `${format.name}, x in ${activations}`, format, activations })),
  ),
];

/** One row through eight layers of packed weights, one after the other, against the same in f32. */
export async function measurePacked(threads: number, context: BenchContext): Promise<void> {
  const size = context.quick ? 1024 : 2048;
  const devices = { f32: await open("f32", threads), int8: await open("int8", threads) };
  try {
    const works = [];
    for (const one of CASES) works.push({ ...one, ...(await layers(devices[one.activations], size, one.format)) });
    const times = await takeTurns(
      works.map(({ name, call }) => ({ name, turn: (seconds: number) => timeCalls(call, seconds) })),
      { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 },
    );
    const dense = times.get("f32")!.best;
    for (const { name, format, activations, error } of works) {
      const { best, spread, rounds } = times.get(name)!;
      const ratio = dense / best;
      const goal = format?.bits === 4 && format.affine ? GOALS[activations] : undefined;
      context.emit({
        suite: "onnx",
        case: `one row, ${LAYERS} layers of ${size}×${size}, ${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`,
        metric: "time",
        value: (best / LAYERS) * 1e6,
        unit: "µs",
        anchor: format ? "f32" : null,
        ratio: format ? ratio : null,
        spread,
        rounds,
        ...(format && { error }),
        ...(goal !== undefined && { goal: `≥ ${goal} ×`, met: ratio >= goal }),
      });
    }
  } finally {
    devices.f32.dispose();
    devices.int8.dispose();
  }
}

const open = async (activations: Activations, threads: number): Promise<Device> =>
  new Device(await createOnnxBackend({ threads, activations }));

/** One row through weights, one after the other. */
const chain = (weights: readonly Tensor[]) => (t: Tensor) => weights.reduce((y, w) => linear(y, w), t);

/** @returns the call, and the relative distance of its result from that of the decoded weights */
async function layers(device: Device, size: number, format?: QuantFormat): Promise<{ call: () => Promise<void>; error: number }> {
  const values = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i * i) / Math.sqrt(size / 2));
  const x = device.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.cos(i * i)),
    { shape: [1, size] },
  );
  const make = (): Tensor => {
    if (!format) return device.tensor(values, { shape: [size, size] });
    return dequantize(toPacked(quantize(values, [size, size], format), device));
  };
  const weights = Array.from({ length: LAYERS }, make);
  const bound = await compile(chain(weights), { device }).prepare(x);
  const call = async (): Promise<void> => (await bound(x)).dispose();
  const got = await (await bound(x)).data();
  const decoded = device.tensor((await weights[0]!.data()) as Float32Array, { shape: [size, size] });
  const expected = await chain(weights.map(() => decoded))(x).data();
  const distance = Math.hypot(...Array.from(got, (v, i) => v - expected[i]!)) / Math.hypot(...expected);
  if (!(distance < 0.05))
    throw new Error(`${format?.name ?? "f32"}: the result is ${distance} of its size away from that of the decoded weights`);
  return { call, error: distance };
}
