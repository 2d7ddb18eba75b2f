// A program of its own, since the peak memory of a process is measured: loads a model whose weights exceed one WebAssembly memory and runs one
// token through it. usage: node large-model.js FORMAT BYTES THREADS (FORMAT: bf16 or int8); prints one line of JSON.
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import {
  bytesPerElement,
  compile,
  dequantize,
  Device,
  type DType,
  INT8_ROWS,
  linear,
  tensor,
  type Tensor,
  toBf16,
} from "@weft/tensor-core";

/** What the program prints. */
export interface LargeModelResult {
  readonly weightBytes: number;
  readonly memories: number;
  readonly loadSeconds: number;
  /** Of the process, after loading and at the end. */
  readonly loadPeakBytes: number;
  readonly peakBytes: number;
  readonly firstTokenSeconds: number;
  readonly tokenSeconds: number;
  /** Whether every element of the result is what the weights make it. */
  readonly exact: boolean;
}

const WIDTH = 4096;
/** Rows that are made and uploaded at a time. */
const ROWS = 1024;
/** What even and odd rows hold, times the scale of their layer. */
const [EVEN, ODD] = [1.5 / WIDTH, 0.5 / WIDTH];
/** Exponents of the scales, which take turns: 1, 2, 1/2. */
const EXPONENTS = [0, 1, -1];

/** Row `row` of layer `at` holds this everywhere: y = scale · (1.5 | 0.5) · mean(x), in numbers that f32 sums hold exactly. */
const valueOf = (at: number, row: number): number => (row % 2 === 0 ? EVEN : ODD) * 2 ** EXPONENTS[at % EXPONENTS.length]!;

/** How weights are stored. */
interface Storage {
  readonly dtype: DType;
  /** Bytes that rows of layer `at` are, the same rows again and again. */
  rows(at: number): Uint8Array;
  /** The weight whose bytes lie in a tensor. */
  weight(stored: Tensor, at: number): Tensor;
  /** Bytes besides. */
  readonly more: number;
}

function storageOf(format: string): Storage {
  if (format === "int8") {
    // Codes of 127 are the row's largest magnitude.
    const codes = new Uint8Array(ROWS * WIDTH).fill(127);
    return {
      dtype: "i8",
      more: 4 * WIDTH,
      rows: () => codes,
      weight: (stored, at) =>
        dequantize({
          format: INT8_ROWS,
          shape: [WIDTH, WIDTH],
          parts: { codes: stored, absmax: tensor(Float32Array.from({ length: WIDTH }, (_, row) => valueOf(at, row))) },
        }),
    };
  }
  const piece = new Uint16Array(ROWS * WIDTH);
  return {
    dtype: "bf16",
    more: 0,
    rows(at) {
      for (let row = 0; row < ROWS; row++) piece.fill(toBf16(valueOf(at, row)), row * WIDTH, (row + 1) * WIDTH);
      return new Uint8Array(piece.buffer);
    },
    weight: (stored) => stored,
  };
}

const peak = (): number => process.resourceUsage().maxRSS * 1024;

async function main(format: string, bytes: number, threads: number): Promise<LargeModelResult> {
  enableRelaxedSimd();
  const backend = await createWasmBackend({ threads });
  const device = new Device(backend);
  const storage = storageOf(format);
  const each = WIDTH * WIDTH * bytesPerElement(storage.dtype);
  const layers = Math.ceil(bytes / (each + storage.more));
  const start = performance.now();
  const memories = new Set<unknown>();
  const weights: Tensor[] = [];
  for (let at = 0; at < layers; at++) {
    const buffer = backend.allocate(each);
    memories.add(buffer.memory);
    const rows = storage.rows(at);
    for (let offset = 0; offset < each; offset += rows.byteLength) backend.upload(buffer, rows, offset);
    weights.push(storage.weight(device.adopt(buffer, [WIDTH, WIDTH], storage.dtype), at));
  }
  const loadSeconds = (performance.now() - start) / 1000;
  const loadPeakBytes = peak();

  const step = compile((x: Tensor) => weights.reduce((h, w) => linear(h, w), x), { device });
  const x = device.tensor(new Float32Array(WIDTH).fill(1), { shape: [1, WIDTH] });
  const seconds: number[] = [];
  let y = new Float32Array(0);
  for (let run = 0; run < 3; run++) {
    const begin = performance.now();
    y = (await (await step(x)).data()) as Float32Array<ArrayBuffer>;
    seconds.push((performance.now() - begin) / 1000);
  }
  const scale = Array.from({ length: layers }, (_, at) => 2 ** EXPONENTS[at % EXPONENTS.length]!).reduce((a, b) => a * b, 1);
  const exact = y.length === WIDTH && y.every((v, i) => v === scale * (i % 2 === 0 ? 1.5 : 0.5));
  device.dispose();
  return {
    weightBytes: layers * (each + storage.more),
    memories: memories.size,
    loadSeconds,
    loadPeakBytes,
    peakBytes: peak(),
    firstTokenSeconds: seconds[0]!,
    tokenSeconds: Math.min(...seconds.slice(1)),
    exact,
  };
}

const [format, ...counts] = process.argv.slice(2);
const [bytes, threads] = counts.map(Number);
process.stdout.write(`${JSON.stringify(await main(format!, bytes!, threads!))}\n`);
