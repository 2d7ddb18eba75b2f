import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertCheckpoint } from "@weft/checkpoint/node";
import { openGgufPath } from "@weft/io-gguf/node";
import { openWeights } from "@weft/io-safetensors/node";
import { loadPretrained } from "@weft/models/node";
import { type Device, tensor } from "@weft/tensor-core";
import { tokenizerFromGguf } from "@weft/tokenizers";
import { Comparison } from "../case.js";
import type { Fixture } from "./fixture.js";

/** What the manifest says: hashes of the values of each tensor in f32 as transformers has it, and a text with its tokens. */
interface About {
  readonly weights: Readonly<Record<string, { readonly sha256: string }>>;
  readonly text: string;
  readonly token_ids: readonly number[];
}

/** Logits of two blocks in f32, in another order of summation. */
const TOLERANCE = 1e-5;

/** A whole model in GGUF: its tokens, its values as a checkpoint of transformers, and its logits, of the file as it is and of that checkpoint. */
export async function tinyGgufCase(
  { folder, fixture, about }: { readonly folder: string; readonly fixture: Fixture; readonly about: About },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(TOLERANCE);
  const path = join(folder, "tiny.gguf");
  const file = await openGgufPath(path);
  check.exact("tokens", [...tokenizerFromGguf(file.metadata, path).encode(about.text).ids], about.token_ids);
  await file.close();

  const out = mkdtempSync(join(tmpdir(), "weft-golden-"));
  try {
    await convertCheckpoint({ base: path, out, dtype: "f32", force: true });
    const weights = await openWeights(out);
    check.exact("names", [...weights.names()].toSorted(), Object.keys(about.weights).toSorted());
    for (const [name, want] of Object.entries(about.weights)) {
      const { data } = await weights.read(name);
      check.exact(name, createHash("sha256").update(data).digest("hex"), want.sha256);
    }
    await weights.close();
    const { data, shape } = fixture.view("input_ids");
    const inputIds = tensor(Int32Array.from(new BigInt64Array(data.slice().buffer), Number), { shape, device });
    for (const [what, from] of [
      ["of the file", path],
      ["of the checkpoint", out],
    ] as const) {
      const model = await loadPretrained(from, { device });
      await check.tensors(`logits ${what}`, model.forward({ inputIds }).logits, fixture.tensor("logits", device));
    }
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
  return check;
}
