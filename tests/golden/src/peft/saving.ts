import { existsSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import { loadPeftModel, savePretrained } from "@weft/registry/node";
import type { Comparison } from "../case.js";
import { withFolder } from "../folder.js";
import { readJson } from "./files.js";
import { bytesOf } from "./merging.js";
import type { Peft, Subject } from "./subject.js";

/** What PEFT saves without needing it: the frozen base embedding, copies of shared bases. */
const REDUNDANT = /(embed_tokens|lm_head)(\.base_layer)?\.weight$|^base_model\.model\..*\.randlora_[AB]$/;

type Config = { readonly [field: string]: unknown };

/** Saves a model's adapter, which comes from a folder of PEFT's: the same names, bytes and config; and the model computes the same with what was saved. */
export async function checkSave(
  check: Comparison,
  subject: Subject,
  peft: Peft,
  folder: string,
  autocastAdapterDtype = true,
): Promise<void> {
  await withFolder(async (out) => {
    await savePretrained(peft as never, out);
    const [written, source] = [
      await openWeights(join(out, "adapter_model.safetensors")),
      await openWeights(join(folder, "adapter_model.safetensors")),
    ];
    try {
      const names = [...source.names()].filter((name) => written.has(name) || !REDUNDANT.test(name));
      check.exact("saved names", [...written.names()].toSorted(), names.toSorted());
      for (const name of names.filter((n) => written.has(n))) {
        const [got, want] = [await readTensor(written, name), await readTensor(source, name)];
        check.exact(`saved dtype and shape of ${name}`, [got.dtype, got.shape], [want.dtype, want.shape]);
        check.bytes(`saved ${name}`, await bytesOf(got), await bytesOf(want));
      }
    } finally {
      await written.close();
      await source.close();
    }
    const [saved, own] = [out, folder].map((home) => readJson<Config>(home, "adapter_config.json")) as [Config, Config];
    // The adapters that one mixes are saved below it, under their names.
    const theirs = own.adapters ? { ...own, adapters: Object.fromEntries(Object.keys(own.adapters).map((name) => [name, name])) } : own;
    // PEFT leaves fields out that a method's config does not have; null says the same.
    const said = Object.fromEntries(Object.entries(saved).filter(([field, value]) => value !== null || field in theirs));
    check.exact("saved config", said, Object.fromEntries(Object.entries(theirs).toSorted(([a], [b]) => (a < b ? -1 : 1))));
    check.exact("saved model card", existsSync(join(out, "README.md")), true);
    const again = await loadPeftModel(subject.model, out, { methods: ADAPTER_METHODS, autocastAdapterDtype });
    check.bytes("y_adapter of what was saved", await bytesOf(subject.run(again)), await bytesOf(subject.run(peft)));
  });
  check.shows("save");
}
