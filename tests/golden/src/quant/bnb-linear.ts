import { join } from "node:path";
import { BITSANDBYTES, quantize, toPacked } from "@weft/quant-nf4-awq";
import { decode, dequantize, type Device, quantLinear } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import { largestGap } from "./compare.js";
import { Fixture } from "./fixture.js";

/** The text of a quant state but for the mean of the block maxima, a sum in another order. */
const withoutOffset = (state: Uint8Array): string => new TextDecoder().decode(state).replace(/(?<="nested_offset": )[\d.]+(?=\})/, "");

/** A layer as transformers' checkpoints hold it: read, computed with, quantised anew and written: byte for byte, but for what follows from the mean of the block maxima. */
export async function bnbLinearCase(
  { folder, fixture, name }: { readonly folder: string; readonly fixture: Fixture; readonly name: string },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(1e-5);
  const layer = await Fixture.open(join(folder, `${name.replace(/_io$/, "")}.safetensors`));
  const theirs = BITSANDBYTES.read(layer.below(""));
  const packed = toPacked(theirs, device);
  await check.tensors("dequant", dequantize(packed), fixture.tensor("dequant", device));
  await check.tensors("y", quantLinear(fixture.tensor("x", device), packed, layer.tensor("bias", device)), fixture.tensor("y", device));
  const ours = BITSANDBYTES.write!(quantize(fixture.values("weight"), fixture.shape("weight"), theirs.format, theirs.dtype));
  check.exact("names", [...ours.keys(), "bias"].sort(), layer.names().sort());
  for (const [key, { dtype, shape, data }] of ours) {
    const view = layer.view(key);
    check.exact(`${key}: dtype`, dtype, view.dtype);
    if (key.includes("quant_state")) check.exact(key, withoutOffset(data), withoutOffset(view.data));
    else if (key === "weight.nested_absmax") check.within(key, largestGap(decode(data, "f32"), decode(view.data, "f32")), 1e-7);
    else if (key === "weight.absmax" && dtype === "U8") check.within(key, largestGap(data, view.data), 2);
    else {
      check.exact(`${key}: shape`, shape, view.shape);
      check.bytes(key, data, view.data);
    }
  }
  return check;
}
