import type { LocatedTensor, WeightSource } from "@weft/io-safetensors";

/** Tensors of a source under other names; what the map leaves out is not there. @param names new name → name in the source */
export function renamedSource(source: WeightSource, names: ReadonlyMap<string, string>): WeightSource {
  // A name that is not there is looked up as it is, for the source's own error.
  const real = (name: string): string => names.get(name) ?? name;
  return {
    location: source.location,
    metadata: source.metadata,
    warnings: source.warnings,
    names: () => names.keys(),
    has: (name) => names.has(name),
    info: (name): LocatedTensor => ({ ...source.info(real(name)), name }),
    read: (name, rows) => source.read(real(name), rows),
    close: () => source.close(),
  };
}
