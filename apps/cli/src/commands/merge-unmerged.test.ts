import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, copyFolder, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, weftBuilt, temporaryFolder, weft } from "../testing/cli.js";

const BASE = join(FIXTURES, "peft/llama_base");
/** On q_proj, v_proj and down_proj, with an lm_head of its own; PEFT's merge of it is PEFT's other tests' matter. */
const LORA = join(FIXTURES, "peft/llama_lora");
const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, String(made++));

/** The state of the model with the adapter on it, by the names that PEFT's modules have in `model.state_dict()`. */
async function unmerged(prefix: string): Promise<string> {
  const at = fresh();
  const adapter = tensorsOf(join(LORA, "adapter_model.safetensors"));
  const state = new Map<string, StoredTensor>();
  const paths = new Set([...adapter.keys()].flatMap((name) => /^base_model\.model\.(.*)\.lora_A\.weight$/.exec(name)?.[1] ?? []));
  for (const [name, tensor] of checkpointOf(BASE)) {
    const [path, part] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf("."))];
    state.set(
      prefix + (paths.has(path) ? `${path}.base_layer${part}` : path === "lm_head" ? `lm_head.original_module${part}` : name),
      tensor,
    );
  }
  for (const [name, tensor] of adapter) {
    const [, path, rest] = /^base_model\.model\.(.*?)\.((?:lora_[AB]\.)?weight)$/.exec(name)!;
    state.set(
      prefix + (path === "lm_head" ? `lm_head.modules_to_save.default.weight` : `${path}.${rest!.replace(".", ".default.")}`),
      tensor,
    );
  }
  await writeTensors(join(at, "model.safetensors"), state, { format: "pt" });
  copyFileSync(join(BASE, "config.json"), join(at, "config.json"));
  return at;
}

let merged: ReturnType<typeof checkpointOf>;
beforeAll(async () => {
  const out = fresh();
  expect((await weftBuilt("merge", BASE, "-a", LORA, "-o", out)).code).toBe(0);
  merged = checkpointOf(out);
});

describe.each(["", "base_model.model."])('a model that was saved unmerged, with "%s" in front of its names', (prefix) => {
  it("is merged with its own adapter under the names of the model", async () => {
    const at = await unmerged(prefix);
    copyFileSync(join(LORA, "adapter_config.json"), join(at, "adapter_config.json"));
    const out = fresh();
    const ran = await weftBuilt("merge", at, "-o", out);
    expect(ran.code, ran.stderr).toBe(0);
    const after = checkpointOf(out);
    expect([...after.keys()].sort()).toEqual([...merged.keys()].sort());
    for (const [name, { bytes }] of merged) expect(after.get(name)!.bytes.equals(bytes), name).toBe(true);
  });

  it("is named, and no base for another adapter", async () => {
    const at = await unmerged(prefix);
    const refused = [2, expect.stringMatching(/saved unmerged: it holds an adapter of its own \(base_model\.model\./)];
    for (const args of [
      ["merge", at, "-a", LORA, "-o", fresh()],
      ["extract", at, "--base", BASE, "--rank", "2", "-o", fresh()],
      ["lint", LORA, "--base", at],
    ]) {
      const { code, stderr } = await weft(...args);
      expect([code, stderr], args[0]).toEqual(refused);
    }
    expect((await weft("inspect", at)).stderr).toMatch(/saved unmerged/);
  });

  it("without its config is merged only at an alpha that is given", async () => {
    const at = await unmerged(prefix);
    const { code, stderr } = await weft("merge", at, "-o", fresh());
    expect([code, stderr]).toEqual([2, expect.stringContaining("--alpha")]);
  });
});

it("a whole model with PEFT's prefix and no adapter in it is a base under its own names", async () => {
  const at = fresh();
  await writeTensors(
    join(at, "model.safetensors"),
    new Map([...checkpointOf(BASE)].map(([name, tensor]) => [`base_model.model.${name}`, tensor])),
  );
  copyFileSync(join(BASE, "config.json"), join(at, "config.json"));
  const out = fresh();
  const ran = await weftBuilt("merge", at, "-a", LORA, "-o", out);
  expect(ran.code, ran.stderr).toBe(0);
  for (const [name, { bytes }] of checkpointOf(out)) expect(bytes.equals(merged.get(name)!.bytes), name).toBe(true);
});

it("a base without an adapter in it needs one", async () => {
  const { code, stderr } = await weft("merge", BASE, "-o", fresh());
  expect([code, stderr]).toEqual([2, expect.stringContaining("-a ADAPTER")]);
  expect((await weft("merge", copyFolder(LORA, fresh()), "-a", LORA, "-o", fresh())).stderr).toMatch(
    /this is an adapter, expected a checkpoint/,
  );
});
