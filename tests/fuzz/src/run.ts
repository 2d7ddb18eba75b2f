import { parseArgs } from "node:util";
import type { Backend } from "@weft/tensor-core";
import { BACKENDS, type BackendName, openBackend } from "./backends.js";
import { fuzz } from "./fuzz.js";
import { GENERATORS } from "./generate/index.js";

const USAGE = `usage: npm run fuzz -- [options]

  --seconds N       how long (60)
  --seed S          the cases that are drawn (that of the day)
  --case N          only the case of this number
  --op NAME         every graph begins with this primitive or composite
  --backend NAME    only this backend; may be given several times (${BACKENDS.join(", ")})
`;

function usage(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function options(): { seconds: number; seed: number; only: number | undefined; op: string | undefined; names: readonly BackendName[] } {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Math.floor(Date.now() / 86_400_000)) },
      case: { type: "string" },
      op: { type: "string" },
      backend: { type: "string", multiple: true, default: [...BACKENDS] },
    },
  });
  const whole = (name: string, value: string): number =>
    /^\d+$/.test(value) ? Number(value) : usage(`--${name} is "${value}", expected a whole number`);
  for (const name of values.backend) if (!BACKENDS.includes(name as BackendName)) usage(`no backend "${name}"`);
  if (values.op !== undefined && !Object.hasOwn(GENERATORS, values.op)) usage(`no primitive or composite "${values.op}"`);
  return {
    seconds: whole("seconds", values.seconds),
    seed: whole("seed", values.seed),
    only: values.case === undefined ? undefined : whole("case", values.case),
    op: values.op,
    names: values.backend as BackendName[],
  };
}

const { seconds, seed, only, op, names } = options();
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const backends = new Map<BackendName, Backend>();
for (const name of names) {
  const backend = await openBackend(name);
  if (backend) backends.set(name, backend);
  else print(`${name}: no GPU on this machine, left out`);
}
print(`seed ${seed}`);
const start = performance.now();
const { passed, failed, perBackend, calls, graphs } = await fuzz({ seed, seconds, only, op, backends, print });
const took = (performance.now() - start) / 1000;
const list = (entries: Iterable<readonly [string, number]>): string => [...entries].map(([name, n]) => `${name} ${n}`).join(", ");
print(`calls: ${list([...calls].toSorted((a, b) => b[1] - a[1]))}`);
print(`graphs: ${graphs} drawn; ran on ${list(perBackend)}; ${(graphs / took).toFixed(0)} graphs/s, ${took.toFixed(0)} s`);
for (const backend of backends.values()) backend.dispose();
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
