import { ADAPTER_METHODS } from "@weft/methods";
import { openAdapter, type OpenedAdapter } from "@weft/adapter-files";
import { DIALECTS, resolveNames } from "@weft/adapter-files/dialects";
import { convertAdapter } from "@weft/convert";
import { Comparison, type Outcome } from "../case.js";
import { readJson } from "../peft/files.js";
import { fileOf, type Given, reopened } from "./convert-files.js";

const one: Given = { dtype: "F32", shape: [1, 1], data: new Uint8Array(4) };

/** A LoRA of rank 1 on weights [1, 1] of these names. */
async function tinyAdapter(modules: Iterable<string>): Promise<OpenedAdapter> {
  const tensors = [...modules].flatMap((name) => ["down", "up"].map((factor) => [`${name}.lora_${factor}.weight`, one] as const));
  return openAdapter({ weights: await fileOf(new Map(tensors)) }, { methods: ADAPTER_METHODS });
}

/** SDXL's module names of kohya's files, there and back. */
export async function runSdxlCase(folder: string): Promise<Outcome> {
  const { pairs } = readJson<{ pairs: { readonly [kohya: string]: string } }>(folder, "case.json");
  const check = new Comparison(0);
  const wanted = Object.entries(pairs).map(([kohya, key]) => [kohya, DIALECTS.get("diffusers-old")!.readKey(key)!.module] as const);
  const [named] = (await convertAdapter(await tinyAdapter(Object.keys(pairs)), { to: "diffusers" })).files;
  const got = [...named!.modules].map(([id, { label }]) => [label, id] as const);
  check.exact("kohya → diffusers", got.toSorted(byFirst), wanted.toSorted(byFirst));
  const [back] = (await convertAdapter(await reopened(named!), { to: "kohya" })).files;
  check.exact("diffusers → kohya", [...back!.modules.keys()].toSorted(), Object.keys(pairs).toSorted());
  return check.outcome();
}

const byFirst = (a: readonly [string, string], b: readonly [string, string]): number => (a[0] < b[0] ? -1 : 1);

/** Names without dots against a base whose names they may stand for. */
export async function runFlattenCase(folder: string): Promise<Outcome> {
  const { names, flattened, ambiguous } = readJson<{
    names: readonly string[];
    flattened: { readonly [flat: string]: readonly string[] };
    ambiguous: readonly string[];
  }>(folder, "case.json");
  const check = new Comparison(0);
  const base = await fileOf(new Map(names.map((name) => [`${name}.weight`, one])));
  const adapter = await tinyAdapter(Object.keys(flattened));
  const { adapter: resolved, unplaced } = resolveNames(adapter, base);
  const placed = Object.fromEntries([...resolved.modules.values()].map(({ name, path }) => [name, path]));
  const unique = Object.entries(flattened).filter(([flat]) => !ambiguous.includes(flat));
  check.exact("found", sorted(placed), sorted(Object.fromEntries(unique.map(([flat, [only]]) => [flat, only!]))));
  check.exact("ambiguous", unplaced.map(({ path }) => `lycoris_${path}`).toSorted(), [...ambiguous].toSorted());
  for (const flat of ambiguous) {
    const listed = unplaced.find(({ path }) => `lycoris_${path}` === flat)?.message ?? "";
    check.exact(
      `${flat}: candidates`,
      flattened[flat]!.filter((name) => !listed.includes(name)),
      [],
    );
  }
  const error: unknown = await convertAdapter(adapter, { to: "peft", base }).catch((thrown: unknown) => thrown);
  check.exact("converting", (error as { kind?: string }).kind, ambiguous.length > 0 ? "ambiguous-name" : undefined);
  return check.outcome();
}

const sorted = (object: { readonly [key: string]: unknown }): [string, unknown][] =>
  Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1));
