import type { AdapterConfig } from "@weft/adapter-files";

/** What PEFT's classes for a task say in a card's `pipeline_tag`; the others leave it open. */
const PIPELINES: Readonly<Record<string, string>> = { CAUSAL_LM: "text-generation" };

/** A string in YAML; JSON's quotes are YAML's. */
const yaml = (text: string): string => (/^[\w./@-]+$/.test(text) && !/^[\d.-]/.test(text) ? text : JSON.stringify(text));

/**
 * The README.md of an adapter's folder, with the metadata by which the hub finds it: base model, library, task, method.
 * @see peft `PeftModel.create_or_update_model_card`
 */
export function modelCard({ peftType, values }: AdapterConfig): string {
  const { baseModelNameOrPath: base, taskType } = values as {
    readonly baseModelNameOrPath?: string | null;
    readonly taskType?: string | null;
  };
  const pipeline = PIPELINES[taskType ?? ""];
  const tags = [...(base ? [`base_model:adapter:${base}`] : []), peftType.toLowerCase()].sort();
  return [
    "---",
    ...(base ? [`base_model: ${yaml(base)}`] : []),
    "library_name: peft",
    ...(pipeline === undefined ? [] : [`pipeline_tag: ${pipeline}`]),
    "tags:",
    ...tags.map((tag) => `- ${yaml(tag)}`),
    "---",
    "",
    `# ${peftType} adapter${base ? ` of ${base}` : ""}`,
    "",
    "An adapter in the format of [PEFT](https://github.com/huggingface/peft), written by weft.",
    "",
    "```python",
    "from peft import PeftModel",
    "",
    'model = PeftModel.from_pretrained(base_model, "path/to/this/folder")',
    "```",
    "",
  ].join("\n");
}
