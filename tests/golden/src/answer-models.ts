// What weft's models compute, for tests/python/models.py: a line of JSON is asked on stdin, one answers on stdout.
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { ADAPTER_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained, loadPretrainedEncoder } from "@weft/models/node";
import { loadPeftModel } from "@weft/registry/node";
import type { Tensor } from "@weft/tensor-core";
import { goldenDevice } from "./device.js";

interface Question {
  /** A folder, or a GGUF file. */
  readonly model: string;
  /** The folder of an adapter of PEFT on it. */
  readonly adapter?: string;
  readonly ids: readonly number[];
  /** It is an encoder. */
  readonly encoder?: boolean;
  /** Where the logits [1, length, vocabulary], or an encoder's states, go, in f32. */
  readonly out: string;
}

async function resultOf({ model: path, adapter, ids, encoder }: Question): Promise<Tensor> {
  const inputIds = device.tensor(Int32Array.from(ids), { shape: [1, ids.length] });
  if (encoder) return (await loadPretrainedEncoder(path, { device })).forward({ inputIds }).lastHiddenState;
  const model = await loadPretrained(path, { device });
  if (adapter === undefined) return model.forward({ inputIds }).logits;
  return (await loadPeftModel<CausalInputs, CausalOutput>(model, adapter, { methods: ADAPTER_METHODS })).forward({ inputIds }).logits;
}

const device = await goldenDevice();
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as Question;
  const result = await resultOf(question);
  const values = (await result.data()) as Float32Array;
  writeFileSync(question.out, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  process.stdout.write(`${JSON.stringify({ shape: result.shape })}\n`);
}
device.dispose();
