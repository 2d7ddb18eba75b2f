import { readFileSync } from "node:fs";
import { openSafetensors, type TensorView, toCoreDType } from "@weft/io-safetensors";
import { decode } from "@weft/tensor-core";

/** The tensors of a file of `fixtures/quant`. */
export class Fixture {
  private readonly tensors: ReadonlyMap<string, TensorView>;

  private constructor(tensors: ReadonlyMap<string, TensorView>) {
    this.tensors = tensors;
  }

  static async open(name: string): Promise<Fixture> {
    const source = await openSafetensors(Uint8Array.from(readFileSync(new URL(`../../../../fixtures/quant/${name}`, import.meta.url))));
    const tensors = new Map<string, TensorView>();
    for (const tensor of source.names()) tensors.set(tensor, await source.read(tensor));
    return new Fixture(tensors);
  }

  view(name: string): TensorView {
    return this.tensors.get(name)!;
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  shape(name: string): readonly [number, number] {
    return this.view(name).shape as unknown as readonly [number, number];
  }

  values(name: string): Float32Array {
    return Float32Array.from(decode(this.view(name).data, toCoreDType(this.view(name).dtype)!));
  }
}

/** What manifest.json says of a file of `fixtures/quant`. */
export const manifestOf = (name: string): { readonly [field: string]: unknown } =>
  (
    JSON.parse(readFileSync(new URL("../../../../fixtures/quant/manifest.json", import.meta.url), "utf8")) as {
      readonly cases: { readonly [file: string]: { readonly [field: string]: unknown } };
    }
  ).cases[name]!;
