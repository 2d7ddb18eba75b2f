import { assertKnownFields, MatchError, type Params, ShapeError, type Tensor } from "@weft/tensor-core";
import { type AdapterTensor, heldAs, type OpenedAdapter, readTensor, sharedKeys } from "@weft/adapter-files";
import { type AdapterState, withParameters } from "./adapter-state.js";
import type { HookedModel } from "./hooked-model.js";
import { newState } from "./new-state.js";

/**
 * An adapter whose file holds only what all layers share, on the layers of a model that its config names.
 * @throws ConfigError if the config names none, or has fields that are not known; MatchError, ShapeError for tensors that have no place
 */
export async function stateOfShared(
  adapter: OpenedAdapter,
  model: HookedModel<never, unknown>,
  { allowUnknownFields }: { readonly allowUnknownFields: boolean },
): Promise<AdapterState> {
  const { config, methods, method, weights } = adapter;
  const { fields, shared } = methods.get(method)!.method!;
  if (!allowUnknownFields) assertKnownFields(Object.fromEntries(config.unknown), Object.keys(fields), method);
  const state = await newState(model, { ...config.values, peftType: method }, { methods });
  const read = async (want: Tensor, { name, shape }: AdapterTensor): Promise<Tensor> => {
    if (shape.join() !== want.shape.join())
      throw new ShapeError(`${name} is [${shape}], expected [${want.shape}]`, { kind: "shape-mismatch", tensor: name });
    return heldAs(await readTensor(weights, name), want.dtype);
  };
  const wanted = new Map(Object.entries(state.shared).map(([name, t]) => [sharedKeys(shared!, name)[0]!, { name, t }]));
  const left = new Set(weights.names());
  const values: { [name: string]: Tensor } = {};
  for (const [key, { name, t }] of wanted) {
    const found = adapter.shared.get(key);
    if (!found) throw new MatchError(`${key} is missing`, { kind: "missing-modules", tensor: key, file: weights.location });
    values[name] = await read(t, found);
    left.delete(found.name);
  }
  const replaced: { [name: string]: Tensor } = {};
  for (const [name, tensor] of [...adapter.modulesToSave, ...adapter.biases]) {
    const base = state.replaced.get(name);
    if (!base) continue;
    replaced[name] = await read(base, tensor);
    left.delete(tensor.name);
  }
  const [unused] = left;
  if (unused !== undefined && !allowUnknownFields)
    throw new MatchError(`${unused} belongs to nothing that ${method} has with this config`, {
      kind: "unused-tensors",
      tensor: unused,
      file: weights.location,
    });
  return { ...withParameters(state, { layers: {}, shared: values as Params, replaced, prompt: {} }), config };
}
