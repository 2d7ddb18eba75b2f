import { BITSANDBYTES, LLM_INT8, quantize, toPacked } from "@weft/quant-nf4-awq";
import { cast, dequantize, type Device, quantLinear } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import type { Fixture } from "./fixture.js";

/** LLM.int8's weights: codes and row maxima bit for bit, products of f32 activations. */
export async function int8Case({ fixture }: { readonly fixture: Fixture }, device: Device): Promise<Comparison> {
  const check = new Comparison(1e-5);
  const weight = quantize(fixture.values("weight"), fixture.shape("weight"), LLM_INT8);
  const files = BITSANDBYTES.write!(weight);
  check.bytes("CB", files.get("weight")!.data, fixture.bytes("CB"));
  check.bytes("SCB", files.get("SCB")!.data, fixture.bytes("SCB"));
  const packed = toPacked({ ...BITSANDBYTES.read(files), dtype: "f32" }, device);
  await check.tensors("dequant", dequantize(packed), fixture.tensor("dequant", device));
  await check.tensors("y", quantLinear(cast(fixture.tensor("x", device), "f32"), packed), fixture.tensor("y_w8a16", device));
  return check;
}
