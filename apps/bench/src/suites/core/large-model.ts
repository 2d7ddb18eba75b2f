// A program of its own, since the peak memory of a process is measured: loads a model whose weights exceed one WebAssembly memory and runs one
// token through it. usage: node large-model.js BYTES THREADS; prints one line of JSON.
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { compile, Device, linear, type Tensor } from "@weft/tensor-core";

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
/** bf16 of 1.5/4096 and 0.5/4096: what even and odd rows hold, times the scale of their layer. */
const [EVEN, ODD] = [0x39c0, 0x3900];
/** Exponents of the scales, which take turns: 1, 2, 1/2. */
const EXPONENTS = [0, 1, -1];

/** The same rows of layer `at` again and again: y = scale · (1.5 | 0.5) · mean(x), in numbers that f32 sums hold exactly. */
function rowsOf(at: number, piece: Uint16Array): Uint8Array {
  for (let row = 0; row < ROWS; row++) {
    const bits = (row % 2 === 0 ? EVEN : ODD) + (EXPONENTS[at % EXPONENTS.length]! << 7);
    piece.fill(bits, row * WIDTH, (row + 1) * WIDTH);
  }
  return new Uint8Array(piece.buffer);
}

const peak = (): number => process.resourceUsage().maxRSS * 1024;

async function main(bytes: number, threads: number): Promise<LargeModelResult> {
  enableRelaxedSimd();
  const backend = await createWasmBackend({ threads });
  const device = new Device(backend);
  const each = WIDTH * WIDTH * 2;
  const layers = Math.ceil(bytes / each);
  const piece = new Uint16Array(ROWS * WIDTH);
  const start = performance.now();
  const memories = new Set<unknown>();
  const weights: Tensor[] = [];
  for (let at = 0; at < layers; at++) {
    const buffer = backend.allocate(each);
    memories.add(buffer.memory);
    const rows = rowsOf(at, piece);
    for (let offset = 0; offset < each; offset += rows.byteLength) backend.upload(buffer, rows, offset);
    weights.push(device.adopt(buffer, [WIDTH, WIDTH], "bf16"));
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
    weightBytes: layers * each,
    memories: memories.size,
    loadSeconds,
    loadPeakBytes,
    peakBytes: peak(),
    firstTokenSeconds: seconds[0]!,
    tokenSeconds: Math.min(...seconds.slice(1)),
    exact,
  };
}

const [bytes, threads] = process.argv.slice(2).map(Number);
process.stdout.write(`${JSON.stringify(await main(bytes!, threads!))}\n`);
