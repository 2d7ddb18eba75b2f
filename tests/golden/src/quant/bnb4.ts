import { fourBit, type FourBitType, quantize, type QuantizedWeight, toPacked } from "@weft/quant-nf4-awq";
import { decode, dequantize, type Device, type MatrixShape } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import { bytesOfFloats, largestGap } from "./compare.js";
import type { Fixture } from "./fixture.js";

/** What the manifest says of a case of bnb4.safetensors. */
interface About {
  readonly quant_type: FourBitType;
  readonly blocksize: number;
  readonly nested: boolean;
  readonly shape: MatrixShape;
  readonly nested_offset?: number;
}

/** bitsandbytes' four bits: codes and block maxima bit for bit, values of bitsandbytes' parts bit for bit. */
export async function bnb4Case(
  { fixture, name, about }: { readonly fixture: Fixture; readonly name: string; readonly about: About },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(0);
  const file = (part: string): string => `${name}.${part}`;
  const format = fourBit({ quantType: about.quant_type, blocksize: about.blocksize, doubleQuant: about.nested });
  const { parts, ...rest } = quantize(fixture.values(file("input")), about.shape, format, fixture.dtype(file("input")));
  check.bytes("codes", parts.weight!, fixture.bytes(file("packed")));
  check.bytes("quant_map", parts.quant_map!, fixture.bytes(`${about.quant_type}_levels`));
  let theirs: QuantizedWeight["parts"] = { ...parts, weight: fixture.bytes(file("packed")), absmax: fixture.bytes(file("absmax")) };
  if (about.nested) {
    theirs = { ...theirs, nested_absmax: fixture.bytes(file("nested_absmax")), nested_offset: bytesOfFloats(about.nested_offset!) };
    check.bytes("nested_quant_map", parts.nested_quant_map!, fixture.bytes("dynamic_map_8bit"));
    // The mean of the block maxima is a sum in another order.
    check.within("nested_offset", largestGap(decode(parts.nested_offset!, "f32"), [about.nested_offset!]), 1e-7);
    check.within("nested_absmax", largestGap(decode(parts.nested_absmax!, "f32"), fixture.values(file("nested_absmax"))), 1e-7);
    check.within("nested codes", largestGap(parts.absmax!, fixture.bytes(file("absmax"))), 2);
  } else check.bytes("absmax", parts.absmax!, fixture.bytes(file("absmax")));
  await check.tensors("dequant", dequantize(toPacked({ ...rest, parts: theirs }, device)), fixture.tensor(file("dequant"), device));
  return check;
}
