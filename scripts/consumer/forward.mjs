// `node forward.mjs PROGRAM FIXTURES`: whether a program, bundled or not, computes what PEFT computed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openSafetensors } from "@weft/io-safetensors";

const [program, fixtures] = process.argv.slice(2);
const { forward } = await import(pathToFileURL(program).href);

const text = (path) => readFileSync(join(fixtures, path), "utf8");
const file = (path) => new File([readFileSync(join(fixtures, path))], path.split("/").at(-1));
const shards = readdirSync(join(fixtures, "llama_base")).filter((name) => name.includes(".safetensors"));
const golden = await openSafetensors(file("llama_lora/case.safetensors"));
const { data: ids, shape } = await golden.read("ids");
const rows = new BigInt64Array(ids.buffer, ids.byteOffset, shape[0] * shape[1]);
const expected = await golden.read("y_adapter_nomask");
const wanted = new Float32Array(expected.data.buffer, expected.data.byteOffset, expected.data.byteLength / 4);

const got = await forward(
  { config: text("llama_base/config.json"), weights: shards.map((name) => file(`llama_base/${name}`)) },
  { config: text("llama_lora/adapter_config.json"), weights: file("llama_lora/adapter_model.safetensors") },
  Array.from({ length: shape[0] }, (_, i) => Array.from(rows.slice(i * shape[1], (i + 1) * shape[1]), Number)),
);
const worst = Math.max(...wanted.map((value, i) => Math.abs(value - got.data[i])));
if (got.shape.join() !== expected.shape.join() || !(worst < 1e-4)) {
  process.stderr.write(`${program}: [${got.shape}], off by ${worst}; PEFT: [${expected.shape}]\n`);
  process.exitCode = 1;
}
