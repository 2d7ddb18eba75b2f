import {
  awq,
  AWQ_FILES,
  dequantize as valuesOf,
  gptq,
  quantize,
  type QuantizedWeight,
  requantize,
  toPacked,
  unpack,
} from "@weft/quant-nf4-awq";
import { dequantize, type Device, transpose } from "@weft/tensor-core";
import { Comparison } from "../case.js";
import { largestGap } from "./compare.js";
import type { Fixture } from "./fixture.js";

/** What the manifest says of awq.safetensors. */
interface About {
  readonly group_size: number;
  readonly quantization_config: { readonly [field: string]: unknown };
}

/** AWQ: the words that AutoAWQ writes, bit for bit, their values, both layouts, and the way to GPTQ and back. */
export async function awqCase(
  { fixture, about }: { readonly fixture: Fixture; readonly about: About },
  device: Device,
): Promise<Comparison> {
  const check = new Comparison(0);
  const format = awq({ groupSize: about.group_size });
  const ours = quantize(fixture.values("gemm.input"), fixture.shape("gemm.input"), format, "f16");
  const files = AWQ_FILES.write!(ours);
  for (const [name, view] of files) check.bytes(`gemm.${name}`, view.data, fixture.bytes(`gemm.${name}`));
  check.exact("quantization_config", AWQ_FILES.config!(format), about.quantization_config);
  check.within("codes", largestGap(await unpack(ours, device), fixture.bytes("gemm.codes")), 0);

  const read = (layout: string): QuantizedWeight =>
    AWQ_FILES.read(fixture.below(`${layout}.`), { config: { ...about.quantization_config, version: layout } });
  const values = transpose(fixture.tensor("gemm.dequant_in_out", device));
  for (const layout of ["gemm", "gemv"]) await check.tensors(layout, dequantize(toPacked(read(layout), device)), values);

  const there = await requantize(read("gemm"), gptq({ groupSize: about.group_size, checkpointFormat: "gptq_v2", sym: false }), device);
  const back = await requantize(there.weight, format, device);
  check.within("to GPTQ v2", largestGap(await valuesOf(there.weight, device), await values.data()), 0);
  for (const [name, view] of AWQ_FILES.write!(back.weight))
    check.bytes(`back from GPTQ: ${name}`, view.data, fixture.bytes(`gemm.${name}`));
  return check;
}
