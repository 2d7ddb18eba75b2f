import { localModel } from "@weft/generation/node";
import { downloadFiles, hubFiles } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";
import { type Command, EXIT } from "../context.js";
import { hubName } from "../models/hub-name.js";
import { withProgress } from "../progress.js";

const [CONFIG, WEIGHTS] = ["adapter_config.json", "adapter_model.safetensors"];

/** `weft pull REPO [FILES]`: what running a model or an adapter takes, in the cache of huggingface_hub. */
export const pull: Command<object, [string, string[]]> = async ([name, files], _options, context) => {
  const { signal, out } = context;
  const id = hubName(name);
  const listed = files.length > 0 ? [] : await hubFiles(id, { signal });
  const wanted = files.length > 0 ? files : listed.includes(CONFIG!) ? [CONFIG!, WEIGHTS!] : undefined;
  const ggufs = listed.filter((file) => file.endsWith(".gguf"));
  if (!wanted && !listed.some((file) => file.endsWith(".safetensors")) && ggufs.length > 0)
    throw new FormatError(`${id}: the repository has ${ggufs.length} GGUF files, and no safetensors`, {
      kind: "not-found",
      file: id,
      hint: `weft pull ${name} ${ggufs[0]!}`,
    });
  const folder = await withProgress("download", context, (onProgress) =>
    wanted ? downloadFiles(id, wanted, { signal, onProgress }) : localModel(id, { signal, onProgress }),
  );
  out.result({ id, folder }, () => `✓ ${id} is in ${folder}`);
  return EXIT.done;
};
