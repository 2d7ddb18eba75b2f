import { fourBit, quantize, toPacked } from "@weft/quant-nf4-awq";
import { add, dequantize, type Device, loraLinear, matmul, mul, type Tensor, vjp } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import type { Fixture } from "./fixture.js";

/** What the manifest says of a case of qlora.safetensors. */
interface About {
  readonly r: number;
  readonly lora_alpha: number;
  readonly nested: boolean;
}

/** A LoRA on a layer in NF4: forward, gradients of A, B and x, and merging, which quantises anew. */
export async function qloraCase(
  { fixture, name, about }: { readonly fixture: Fixture; readonly name: string; readonly about: About },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(1e-5);
  const tensor = (part: string): Tensor => fixture.tensor(`${name}.${part}`, device);
  const format = fourBit({ doubleQuant: about.nested });
  const shape = fixture.shape("weight");
  const scale = about.lora_alpha / about.r;
  const weight = quantize(fixture.values("weight"), shape, format);
  check.bytes("packed", weight.parts.weight!, fixture.bytes(`${name}.packed`));
  const base = dequantize(toPacked(weight, device));
  await check.tensors("base", base, tensor("base_dequant"));
  const [x, a, b] = [tensor("x"), tensor("A"), tensor("B")];
  const y = loraLinear(x, base, a, b, scale, fixture.tensor("bias", device));
  const grads = vjp([y], [tensor("dy")], [x, a, b]);
  await check.tensors("y", y, tensor("y"));
  for (const [i, part] of ["dx", "dA", "dB"].entries()) await check.tensors(part, grads[i]!, tensor(part));
  const merged = add(base, mul(matmul(b, a), scale));
  await check.tensors("merged_f32", merged, tensor("merged_f32"));
  const again = quantize((await merged.data()) as Float32Array, shape, format);
  check.bytes("merged_packed", again.parts.weight!, fixture.bytes(`${name}.merged_packed`));
  await check.tensors("merged_dequant", dequantize(toPacked(again, device)), tensor("merged_dequant"));
  return check;
}
