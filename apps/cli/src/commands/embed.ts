import { loadEmbedder } from "@weft/generation/node";
import type { Pooling } from "@weft/models";
import { type Command, EXIT } from "../context.js";
import { textOrStdin } from "../files/text-or-stdin.js";
import type { DeviceName } from "../models/device-names.js";
import { openDevice } from "../models/open-device.js";
import { printable, table } from "../output.js";

export interface EmbedCommandOptions {
  readonly model: string;
  readonly pooling?: Pooling;
  readonly normalize: boolean;
  readonly maxLength?: number;
  readonly similarity?: boolean;
  readonly device: DeviceName;
}

/** `weft embed -m MODEL [TEXTS…]` */
export const embed: Command<EmbedCommandOptions, [string[]]> = async ([given], options, context) => {
  const { out, signal } = context;
  const texts = given.length > 0 ? given : (await textOrStdin(undefined, 'weft embed -m model/ "a text"')).split(/\r?\n/);
  const device = await openDevice(options.device, context);
  try {
    const { pooling, normalize, maxLength } = options;
    const embedder = await loadEmbedder(options.model, {
      device,
      signal,
      normalize,
      ...(pooling && { pooling }),
      ...(maxLength !== undefined && { maxLength }),
    });
    const vectors = await embedder.embed(texts, { signal });
    embedder.dispose();
    if (options.similarity) {
      const similarity = vectors.map((a) => vectors.map((b) => cosine(a, b)));
      out.result({ texts, similarity }, () => {
        const rows = similarity.map((row, i) => [...row.map((value) => value.toFixed(3)), printable(texts[i]!, 50)]);
        return table(
          rows,
          texts.map((_, i) => i),
        );
      });
    } else
      out.result({ embeddings: vectors.map((vector) => [...vector]) }, () =>
        vectors.map((vector) => JSON.stringify([...vector])).join("\n"),
      );
  } finally {
    device.dispose();
  }
  return EXIT.done;
};

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, v] of a.entries()) [ab, aa, bb] = [ab + v * b[i]!, aa + v * v, bb + b[i]! * b[i]!];
  return ab / Math.max(Math.sqrt(aa * bb), 1e-12);
}
