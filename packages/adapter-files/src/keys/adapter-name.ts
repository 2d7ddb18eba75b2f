import { FormatError } from "@weft/tensor-core";

/** A parameter with the adapter's name behind it, as a model's own state dict has it: `lora_A.default.weight`, `lokr_w1.default`. */
const NAMED =
  /^(.*\.(?:lora_(?:A|B|embedding_A|embedding_B|magnitude_vector|down|up|mid)|hada_(?:w|t)\d(?:_[ab])?|lokr_(?:w|t)\d(?:_[ab])?|oft_blocks))\.([^.]+)(\.(?:weight|bias))?$/;

/** A key without the adapter's name in it, and that name. */
export function splitAdapterName(key: string): { readonly plain: string; readonly adapter: string | undefined } {
  const [, parameter, adapter, tail = ""] = NAMED.exec(key) ?? [];
  return adapter === undefined || adapter === "weight" || adapter === "bias"
    ? { plain: key, adapter: undefined }
    : { plain: parameter! + tail, adapter };
}

/**
 * The adapter of a file that is meant: the one that it holds, or the one that is named.
 * @param names that its keys have in them
 * @returns undefined if there are none
 * @throws FormatError kinds `several-adapters`, `no-such-adapter`
 */
export function chosenAdapter(names: Iterable<string>, named: string | undefined, location: string): string | undefined {
  const found = [...new Set(names)];
  if (found.length === 0) return undefined;
  if (named !== undefined && found.includes(named)) return named;
  if (named === undefined && found.length === 1) return found[0];
  throw new FormatError(
    named === undefined
      ? `${location}: it holds several adapters: ${found.join(", ")}`
      : `${location}: it holds no adapter ${JSON.stringify(named)}, but ${found.join(", ")}`,
    {
      kind: named === undefined ? "several-adapters" : "no-such-adapter",
      file: location,
      hint: "choose one with --adapter-name (adapterName in the library), or save each in a file of its own",
    },
  );
}
