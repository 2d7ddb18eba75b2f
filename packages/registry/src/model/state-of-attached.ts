import { tokensMethod } from "./trainable-tokens.js";
import { type Attached, CapabilityError, ConfigError, type Params, type Tensor } from "@weft/tensor-core";
import type { AttachedAdapter } from "../attach.js";
import { type OpenedAdapter, trainedTokens } from "@weft/adapter-files";
import { notRun } from "../placed-layer.js";
import { gatherPlaced } from "../placed-values.js";
import { sameValues } from "../same-values.js";
import { type AdapterState, sharedSpecs } from "./adapter-state.js";
import { type HookedModel, layersOf, weightName } from "./hooked-model.js";
import { tiedLayers } from "./tied-layers.js";
import { assertTied, tieLayers, tiesOf } from "./tie-parameters.js";

/** An adapter that was read from a file, as a model keeps it; with the base weights that its initialisation had changed. */
export async function stateOfAttached(
  adapter: OpenedAdapter,
  { layers: attached, replaced: given, placed }: AttachedAdapter,
  model: HookedModel<never, unknown>,
): Promise<AdapterState> {
  const [one] = attached.values();
  const listed = new Set([...layersOf(model, one?.method)].map(({ path }) => path));
  const unlisted = [...attached.keys()].find((path) => !listed.has(path) && !placed.has(path));
  if (unlisted !== undefined)
    throw new CapabilityError(
      `${unlisted}: the adapter changes it, but the model does not list it among its layers: it would have no effect`,
      {
        kind: "unsupported-target",
        tensor: unlisted,
        hint: "let the model's layers() give it, and call the hook where it runs; or merge the adapter into the checkpoint",
      },
    );
  const layers = new Map<string, readonly Attached[]>([...attached].map(([path, one]) => [path, [one]]));
  const expected = new Map<string, Tensor>();
  const replaced = new Map(given);
  const known = new Map([...model.layers()].map((found) => [weightName(found), found]));
  const tied = tiedLayers(model)?.map(weightName) ?? [];
  // PEFT saves an embedding along with an adapter on it, also if it is the base's own; then nothing is replaced. A resized one is the base of both of two that are tied.
  for (const name of adapter.embeddings.keys()) {
    const [now, before] = [replaced.get(name), known.get(name)?.base.weight];
    if (!now || !before) continue;
    if (await sameValues(now, before)) replaced.delete(name);
    else if (tied.includes(name)) for (const other of tied) if (!replaced.has(other)) replaced.set(other, now);
  }
  for (const [name, { indices, rows }] of await trainedTokens(adapter)) {
    const found = known.get(name);
    if (!found) continue;
    const layer = { ...found.layer, shape: replaced.get(name)?.shape ?? found.layer.shape };
    const context = { layer, config: { tokenIndices: indices, targetModules: null, initWeights: true }, scale: 1 };
    layers.set(found.path, [
      ...(layers.get(found.path) ?? []),
      { method: tokensMethod(adapter.methods), params: { rows }, context } as unknown as Attached,
    ]);
  }
  for (const [path, { method, context }] of attached) {
    if (!method.expectedBase) continue;
    const { layer, config } = context;
    const at = placed.get(path);
    if (at) {
      const held = gatherPlaced(at.weight, (part) => model.weights.get(part)!);
      if ((await method.expectedBase(config, layer, held)) !== held) throw notRun(path, "the adapter's initialisation changed it");
      continue;
    }
    const name = weightName({ path, layer });
    const before = given.get(name) ?? known.get(name)?.base.weight;
    if (!before) continue;
    const changed = await method.expectedBase(config, layer, before);
    if (changed !== before) expected.set(name, changed);
  }
  const [first] = attached.values();
  const asked = first?.method.choose?.(adapter.config.values as never, [...model.layers()]) ?? [];
  const absent = asked.find((path) => !attached.has(path));
  if (absent !== undefined)
    throw new ConfigError(`the config asks for ${asked.length} modules, but the file has nothing for ${absent}`, {
      kind: "config-mismatch",
      tensor: absent,
    });
  const names = Object.keys(sharedSpecs(layers, adapter.config));
  const shared: Params = Object.fromEntries(names.flatMap((name) => (first!.params[name] ? [[name, first!.params[name]]] : [])));
  const ties = first ? tiesOf(first.method, adapter.config, layers, model) : new Map();
  await assertTied(layers, ties);
  const foreign = adapter.dialect === "peft" ? {} : { dialect: adapter.dialect };
  return { config: adapter.config, ...foreign, layers: tieLayers(layers, ties), ties, placed, shared, replaced, expected };
}
