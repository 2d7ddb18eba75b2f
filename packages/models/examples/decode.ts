import { createWasmBackend } from "@weft/kernels-wasm";
import type { LayerCache } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { argmax, compile, Device, slice, type Tensor } from "@weft/tensor-core";

const device = new Device(await createWasmBackend({ threads: 1 }));
const model = await loadPretrained("fixtures/models/llama", { device });

// The cache goes in and comes out again; donated, it is written where it lies.
const step = compile(
  (inputIds: Tensor, position: Tensor, cache: readonly LayerCache[]) => {
    const { logits, cache: next } = model.forward({ inputIds, position, cache });
    const length = inputIds.shape[1]!;
    return { token: argmax(slice(logits, [undefined, [length - 1, length]])), cache: next! };
  },
  { device, donate: [2] },
);

const tokens = [5, 6, 7, 8];
const at = (position: number): Tensor => device.tensor(Int32Array.of(position), { shape: [] });
let { token, cache } = await step(device.tensor(Int32Array.from(tokens), { shape: [1, 4] }), at(0), model.emptyCache({ capacity: 16 }));
while (tokens.length < 10) {
  tokens.push(await token.item());
  ({ token, cache } = await step(token, at(tokens.length - 1), cache));
}
console.log(tokens.join(" "));
device.dispose();
