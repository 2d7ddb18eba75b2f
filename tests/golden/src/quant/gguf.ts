import { GGUF_TYPES, type GgufType, ggufWeight, quantize, toPacked } from "@weft/quant-nf4-awq";
import { dequantize, type Device } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import type { Fixture } from "./fixture.js";

/** A type of GGUF: values of the original's bytes and of any bits, and the bytes that we write. */
export async function ggufCase(
  { fixture, name }: { readonly fixture: Fixture; readonly name: string },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(0);
  const type = name as GgufType;
  const read = async (bytes: string, values: string): Promise<void> => {
    const packed = toPacked(ggufWeight(type, fixture.shape(values), fixture.bytes(bytes)), device);
    await check.tensors(values, dequantize(packed), fixture.tensor(values, device));
  };
  await read(`${name}.bytes`, `${name}.dequant`);
  if (fixture.names().includes(`${name}.raw`)) await read(`${name}.raw`, `${name}.raw_dequant`);
  const { encode } = GGUF_TYPES[type];
  if (encode)
    check.bytes(
      "bytes",
      quantize(fixture.values("input"), fixture.shape("input"), GGUF_TYPES[type]).parts.bytes!,
      fixture.bytes(`${name}.bytes`),
    );
  return check;
}
