import type { TrainField } from "@weft/fine-tuning/fields";
import type { Config } from "../../protocol/values.js";
import { STUDIO_FIELDS } from "../../protocol/fields.js";

/** A word of a command line as a shell reads it. */
const quoted = (word: string): string => (/^[\w./:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

const flagOf = ({ flag }: TrainField): string => /--[a-z-]+/.exec(flag!)![0];

/** `weft train` with the same settings; those that have no flag make it a file, which JSON is, too. */
export function commandText(model: string, data: string, config: Config): string {
  const peft = (config["peft"] ?? {}) as Config;
  const given: readonly (readonly [string, unknown])[] = [
    ...Object.entries(config).filter(([name]) => name !== "peft"),
    ...Object.entries(peft).map(([name, value]) => [`peft.${name}`, value] as const),
  ];
  const fields = given.map(([name, value]) => [STUDIO_FIELDS.find((one) => one.name === name), value] as const);
  if (fields.some(([field]) => field?.flag === undefined)) {
    const file = { model_name_or_path: model, train_file: data, output_dir: "adapter", ...config };
    return `cat > train.yaml <<'END'\n${JSON.stringify(file, null, 2)}\nEND\nweft train train.yaml`;
  }
  const words = fields.flatMap(([field, value]) => {
    const name = flagOf(field!);
    if (field!.kind === "switch") return value === true ? [name] : [];
    return (Array.isArray(value) ? value : [value]).flatMap((one) => [name, quoted(String(one))]);
  });
  return ["weft train", "-m", quoted(model), "--data", quoted(data), "-o adapter", ...words].join(" ");
}
