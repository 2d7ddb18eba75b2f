import { HELPERS } from "./helpers.js";
import { leafValues } from "./leaf-values.js";
import { type Arg, isLeaf, type Leaf, type Program, Ref } from "./program.js";
import { type Case, outputsOf } from "./scenario.js";

const nameOf = ({ of, result }: Ref): string => `t${of}[${result}]`;

/** Whole numbers as they are, others as f32, which nine digits tell apart. */
const number = (x: number): string =>
  Object.is(x, -0) ? "-0" : String(Number.isInteger(x) || !Number.isFinite(x) ? x : Number(Math.fround(x).toPrecision(9)));

function argument(arg: Arg): string {
  if (arg instanceof Ref) return nameOf(arg);
  if (typeof arg === "number") return number(arg);
  if (typeof arg !== "object") return JSON.stringify(arg) ?? "undefined";
  if (Array.isArray(arg)) return `[${(arg as readonly Arg[]).map(argument).join(", ")}]`;
  return `{ ${Object.entries(arg)
    .map(([name, a]) => `${name}: ${argument(a)}`)
    .join(", ")} }`;
}

/** A tensor with the values of a leaf. */
function leafCode(leaf: Leaf, variant: number): string {
  const values = Array.from(leafValues(leaf, variant), number);
  return `device.tensor(Float64Array.of(${values.join(", ")}), { shape: [${leaf.shape}], dtype: "${leaf.dtype}" })`;
}

function statements(program: Program, leaf: (leaf: Leaf) => string, indent: string): string {
  return program
    .map((s) =>
      isLeaf(s)
        ? `${indent}const t${s.id} = [${leaf(s)}];`
        : `${indent}const t${s.id} = flattenTree(${HELPERS[s.fn]?.code ?? s.fn}(${s.args.map(argument).join(", ")})).leaves;`,
    )
    .join("\n");
}

/** A case as a program that runs by itself, given a `backend`. */
export function printCase({ program, scenario }: Case): string {
  const calls = program.flatMap((s) => (isLeaf(s) ? [] : (HELPERS[s.fn]?.uses ?? [s.fn])));
  const { args } = scenario;
  const outputs = outputsOf(scenario).map(nameOf).join(", ");
  const show = "for (const t of results) console.log(String(t), await t.data());";
  const names = [...new Set(["Device", "flattenTree", args ? "compile" : "evaluate", ...calls])].toSorted().join(", ");
  const head = `import { ${names} } from "@weft/tensor-core";\n\nconst device = new Device(backend);`;
  if (!args) {
    const groups = scenario.groups.map((group) => `await evaluate(${group.map(nameOf).join(", ")});`).join("\n");
    return `${head}\n${statements(program, (l) => leafCode(l, 0), "")}\n${groups}\nconst results = [${outputs}];\n${show}`;
  }
  const captured = program.filter((s) => isLeaf(s) && !args.includes(s.id));
  const { donate, feed, bound } = scenario;
  const given = args.filter((id) => !donate.includes(id));
  const placeOf = ({ id }: Leaf): string => (donate.includes(id) ? `taken[${donate.indexOf(id)}]` : `given[${given.indexOf(id)}]`);
  const body = statements(
    program.filter((s) => !captured.includes(s)),
    placeOf,
    "  ",
  );
  const list = (ids: readonly number[], call: number): string =>
    `[${ids
      .map((id) => {
        const fed = call > 0 ? feed.find((f) => f.leaf === id) : undefined;
        return fed ? `last[${fed.output}]` : leafCode(program.find((s) => s.id === id) as Leaf, call);
      })
      .join(", ")}]`;
  const lists = Array.from({ length: scenario.calls }, (_, call) => `${list(given, call)}, ${list(donate, call)}`);
  const run = scenario.concurrent
    ? `const results = (await Promise.all([\n  ${lists.map((l) => `run(${l})`).join(",\n  ")},\n])).flat();\n${show}`
    : lists.map((l, call) => `${call === 0 ? "let " : ""}last = await run(${l});\n${show.replace("results", "last")}`).join("\n");
  return [
    head,
    statements(captured, (l) => leafCode(l, 0), ""),
    `const fn = compile((given, taken) => {\n${body}\n  return [${outputs}];\n}, { device, donate: [1] });`,
    bound ? `const run = await fn.prepare(${lists[0]});` : "const run = fn;",
    run,
  ]
    .filter((part) => part !== "")
    .join("\n");
}
