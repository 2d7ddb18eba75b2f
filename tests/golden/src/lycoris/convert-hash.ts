import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { kohyaHashes } from "@weft/convert/node";
import { Comparison, type Outcome } from "../case.js";
import { readJson } from "../peft/files.js";

/** kohya's two hashes of a file. */
export async function runHashCase(folder: string): Promise<Outcome> {
  const { sshs_model_hash, sshs_legacy_hash } = readJson<{ sshs_model_hash: string; sshs_legacy_hash: string }>(folder, "case.json");
  const check = new Comparison(0);
  const source = await openWeights(join(folder, "file.safetensors"));
  const entries = [...source.names()].map((name) => ({ name, dtype: source.info(name).dtype, shape: source.info(name).shape }));
  check.exact("hashes", await kohyaHashes(entries, source.metadata, async (name) => (await source.read(name)).data), {
    sshs_model_hash,
    sshs_legacy_hash,
  });
  await source.close();
  return check.outcome();
}
