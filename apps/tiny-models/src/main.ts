import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RECIPES, VOCAB_SIZE } from "./recipes.js";
import { ngramBitsPerByte } from "./baseline.js";
import { readCorpus } from "./texts.js";
import { trainTokenizer } from "./tokenizer.js";
import { trainModel } from "./train-model.js";
import { writeModel } from "./write-model.js";

const { positionals: asked, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string", default: fileURLToPath(new URL("../../../packages/tiny-models/models", import.meta.url)) },
  },
});
const unknown = asked.find((name) => !Object.hasOwn(RECIPES, name));
if (unknown !== undefined) throw new Error(`there is no recipe of ${unknown}, expected ${Object.keys(RECIPES).join(", ")}`);

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const corpus = readCorpus(fileURLToPath(new URL("../data/austen", import.meta.url)));
const tokenizer = trainTokenizer(corpus.training, VOCAB_SIZE);
for (const name of asked.length > 0 ? asked : Object.keys(RECIPES)) {
  const recipe = RECIPES[name]!;
  const { weights, loss, bitsPerByte, dispose } = await trainModel(recipe, corpus, tokenizer, (line) => print(`${name} ${line}`));
  await writeModel(join(values.out, name), recipe.config, weights, tokenizer);
  dispose();
  print(`${name}: validation loss ${loss.toFixed(4)}, ${bitsPerByte.toFixed(3)} bits per byte`);
}
print(`a 5-gram of bytes: ${ngramBitsPerByte(corpus.training, corpus.validation).toFixed(3)} bits per byte`);
