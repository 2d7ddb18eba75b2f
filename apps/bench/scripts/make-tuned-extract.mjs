// Writes a "fine-tuned" copy of the synthetic checkpoint: every linear weight gets a change of rank 8 with a falling spectrum, and a little noise.
// Usage: node make-tuned-extract.mjs BASE TUNED   Same bytes on every run.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [base, tuned] = process.argv.slice(2);
const RANK = 8;
/** Standard deviations of a change's element: of the largest component, and of the noise. */
const [SIGNAL, NOISE] = [2e-3, 2e-4];

let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 1073741824 - 1;
const pool = Float32Array.from({ length: 1 << 20 }, () => random() * 1.7);

/** Adds the change to a weight of bf16, in place. */
function tune(bits, rows, cols, number) {
  const row = new Float32Array(cols);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  const up = (i, k) => pool[(number * 7919 + i * RANK + k) & 0xfffff];
  for (let i = 0; i < rows; i++) {
    const noise = (number * 104729 + i * 8191) & 0xfffff;
    for (let c = 0; c < cols; c++) row[c] = NOISE * pool[(noise + c) & 0xfffff];
    for (let k = 0; k < RANK; k++) {
      const x = SIGNAL * 0.7 ** k * up(i, k);
      const from = (number * 15485863 + k * 32768 + 4096) & 0xfffff;
      for (let c = 0; c < cols; c++) row[c] += x * pool[(from + c) & 0xfffff];
    }
    for (let c = 0; c < cols; c++) {
      const at = i * cols + c;
      word[0] = bits[at] << 16;
      float[0] += row[c];
      // To the nearest, ties to even.
      bits[at] = (word[0] + 0x7fff + ((word[0] >>> 16) & 1)) >>> 16;
    }
  }
}

mkdirSync(tuned, { recursive: true });
let number = 0;
for (const name of readdirSync(base).sort()) {
  if (!name.endsWith(".safetensors")) {
    copyFileSync(join(base, name), join(tuned, name));
    continue;
  }
  const file = readFileSync(join(base, name));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, start).toString());
  for (const [tensor, { shape, data_offsets }] of Object.entries(header)) {
    if (!tensor.endsWith("_proj.weight")) continue;
    const bytes = Uint8Array.prototype.slice.call(file, start + data_offsets[0], start + data_offsets[1]);
    tune(new Uint16Array(bytes.buffer), shape[0], shape[1], ++number);
    file.set(bytes, start + data_offsets[0]);
  }
  writeFileSync(join(tuned, name), file);
}
