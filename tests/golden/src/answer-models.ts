// What weft's models compute, for tests/python/models.py: a line of JSON is asked on stdin, one answers on stdout.
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { ADAPTER_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { loadPeftModel } from "@weft/registry/node";
import { goldenDevice } from "./device.js";

interface Question {
  /** A folder, or a GGUF file. */
  readonly model: string;
  /** The folder of an adapter of PEFT on it. */
  readonly adapter?: string;
  readonly ids: readonly number[];
  /** Where the logits [length, vocabulary] go, in f32. */
  readonly out: string;
}

const device = await goldenDevice();
for await (const line of createInterface({ input: process.stdin })) {
  const { model: path, adapter, ids, out } = JSON.parse(line) as Question;
  const model = await loadPretrained(path, { device });
  const inputs: CausalInputs = { inputIds: device.tensor(Int32Array.from(ids), { shape: [1, ids.length] }) };
  const output =
    adapter === undefined
      ? model.forward(inputs)
      : (await loadPeftModel<CausalInputs, CausalOutput>(model, adapter, { methods: ADAPTER_METHODS })).forward(inputs);
  const logits = (await output.logits.data()) as Float32Array;
  writeFileSync(out, new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  process.stdout.write(`${JSON.stringify({ shape: output.logits.shape })}\n`);
}
device.dispose();
