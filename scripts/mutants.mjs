// Breaks sources on purpose, and looks whether tests see it: `npm run mutants -- --count 40 --seed 1`. Each mutant is one change in a copy of the work
// tree, never in the tree itself, against what is seen to pass without any: the golden cases, then the tests of its package, then the program's tests of adapters and
// checkpoints, up to the first failure. A mutant that ends the tests, or makes them run for too long, is killed. Prints those that survive;
// fails if fewer than 95 % are killed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import ts from "typescript";
import { install, root } from "./setup.mjs";

/** What is mutated. */
const PACKAGES = ["registry", "checkpoint", "adapter-files"];
/** Tests, their helpers, and what only a browser runs. */
const EXCLUDED = /\.test\.ts$|\/testing\/|\/browser\//;
/** Tables that a script writes from a Python original: a test of an entry could only repeat it. */
const WRITTEN = /^\/\/ Written by \S+ from /;
/** Of the program, which their set-up builds. */
const PROGRAM_TESTS = ["combine", "convert", "extract", "gguf", "inspect", "lint", "merge", "plan-run", "quantize", "resize"]
  .map((name) => `apps/cli/src/commands/${name}`)
  .concat("apps/cli/src/files/");
const SHARE = 0.95;
/** Several times what the tests take without a mutant. */
const TIMEOUT_MS = 1_200_000;

const { SyntaxKind: K } = ts;
/** Operators that take each other's place. */
const SWAPPED = new Map(
  [
    ["swapped comparison", ["<", "<="], [">", ">="], ["<=", "<"], [">=", ">"], ["===", "!=="], ["!==", "==="]],
    ["swapped operator", ["&&", "||"], ["||", "&&"], ["+", "-"], ["-", "+"], ["*", "/"], ["/", "*"]],
  ].flatMap(([rule, ...pairs]) => pairs.map(([from, to]) => [from, { rule, to }])),
);

/** The changes that the rules make of a node. @returns {{ rule: string, node: import("typescript").Node, text: string }[]} */
function changesOf(node, text) {
  const parent = node.parent;
  if (ts.isBinaryExpression(node)) {
    const { operatorToken } = node;
    const swap = SWAPPED.get(operatorToken.getText());
    // `+` of texts is no sum.
    return swap && !/["'`]/.test(text) ? [{ rule: swap.rule, node: operatorToken, text: swap.to }] : [];
  }
  if ((ts.isIfStatement(parent) || ts.isConditionalExpression(parent)) && node === (parent.expression ?? parent.condition))
    return [{ rule: "negated condition", node, text: `!(${text})` }];
  if (ts.isExpressionStatement(node) || ts.isThrowStatement(node))
    return [{ rule: "removed statement", node, text: ts.isBlock(parent) || ts.isSourceFile(parent) ? "" : ";" }];
  if (ts.isNumericLiteral(node) && ts.isExpression(node)) return [{ rule: "changed constant", node, text: String(Number(text) + 1) }];
  if (node.kind === K.TrueKeyword || node.kind === K.FalseKeyword)
    return [{ rule: "changed constant", node, text: String(node.kind === K.FalseKeyword) }];
  const factor = ts.isCallExpression(parent) || (ts.isBinaryExpression(parent) && /^[*/]$/.test(parent.operatorToken.getText()));
  if (ts.isIdentifier(node) && /^(scale|alpha)$/i.test(text) && factor) return [{ rule: "dropped scale", node, text: "1" }];
  return [];
}

/** Every change of a file. What only words of messages depend on is left alone, and so are types. */
function mutantsOf(file) {
  const source = readFileSync(join(root, file), "utf8");
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isTemplateExpression(node) || ts.isImportDeclaration(node)) return;
    if (ts.isNewExpression(node) && node.expression.getText().endsWith("Error")) return;
    if (node.parent)
      for (const { rule, node: at, text } of changesOf(node, node.getText())) {
        const [start, end] = [at.getStart(), at.getEnd()];
        const { line } = tree.getLineAndCharacterOfPosition(start);
        found.push({ file, rule, line, mutated: source.slice(0, start) + text + source.slice(end), before: source });
      }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found.map((mutant, i) => ({ ...mutant, order: (seed) => createHash("sha256").update(`${seed} ${file} ${i}`).digest("hex") }));
}

/** `count` mutants: packages and rules take turns, and within each of them the hash of seed, file and place decides. */
function chosen(count, seed) {
  const groups = PACKAGES.map((name) => {
    const home = `packages/${name}/src`;
    const files = readdirSync(join(root, home), { recursive: true }).map((file) => `${home}/${file.replaceAll("\\", "/")}`);
    const all = files
      .filter((file) => file.endsWith(".ts") && !EXCLUDED.test(file) && !WRITTEN.test(readFileSync(join(root, file), "utf8")))
      .toSorted()
      .flatMap(mutantsOf);
    const ranked = all.map((mutant) => ({ mutant, order: mutant.order(seed) })).toSorted((a, b) => (a.order < b.order ? -1 : 1));
    const rules = [...new Set(all.map(({ rule }) => rule))].toSorted();
    return takingTurns(rules.map((rule) => ranked.flatMap(({ mutant }) => (mutant.rule === rule ? [mutant] : []))));
  });
  return takingTurns(groups).slice(0, count);
}

/** The first of each list, then the second of each, … */
function takingTurns(lists) {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}

/** A copy of the work tree to break things in; what is installed and the fixtures are the tree's own. */
function copyTree(folder) {
  for (const name of ["packages", "apps", "tests", "scripts", "examples", "docs"])
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !/[/\\](\.turbo|dist)$/.test(path),
    });
  for (const name of ["node_modules", "fixtures"]) symlinkSync(join(root, name), join(folder, name), "junction");
  for (const name of readdirSync(root).filter((file) => /\.(json|ts|yaml)$/.test(file))) cpSync(join(root, name), join(folder, name));
  return folder;
}

/** What a mutant does to the tests. */
const [SURVIVES, KILLED, TIMED_OUT] = ["SURVIVES", "killed", "timed out"];

/** Runs a program in a copy. */
function run(cwd, args) {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: "ignore",
    detached: process.platform !== "win32",
    env: { ...process.env, CI: "true" },
  });
  return new Promise((resolve) => {
    let outcome;
    const timer = setTimeout(() => {
      outcome = TIMED_OUT;
      // With what it has started: a mutant may never end.
      process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
    }, TIMEOUT_MS);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve(outcome ?? (code === 0 ? SURVIVES : KILLED));
    });
  });
}

/** What the tests that are to see these files say of them as a copy has them, up to the first failure. Tests use packages through their indices, so that nearly all of a package's are related to each of its files. */
async function outcomeOf(folder, files) {
  const options = ["--project=!browser", "--bail=1", "--maxWorkers=1", `--testTimeout=${TIMEOUT_MS}`, `--hookTimeout=${TIMEOUT_MS}`];
  // A mutant changes one module: the others are transformed once.
  const cache = ["--experimental.fsModuleCache", `--experimental.fsModuleCachePath=${join(folder, ".modules")}`];
  const vitest = (paths) => run(folder, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...paths, ...options, ...cache]);
  const checks = [
    // The runner is a bundle of all packages.
    () => run(join(folder, "tests/golden"), [join(root, "node_modules/tsup/dist/cli-default.js"), "src/run.ts"]),
    () => run(folder, ["tests/golden/dist/run.js", "--bail"]),
    () => vitest([...new Set(files.map((file) => `${file.split("/src/")[0]}/src/`))]),
    () => vitest(PROGRAM_TESTS),
  ];
  for (const check of checks) {
    const outcome = await check();
    if (outcome !== SURVIVES) return outcome;
  }
  return SURVIVES;
}

/** The lines that a mutant changes. */
function difference({ before, mutated }) {
  const [old, now] = [before.split("\n"), mutated.split("\n")];
  let [start, end] = [0, 0];
  while (old[start] === now[start]) start++;
  while (old.at(-1 - end) === now.at(-1 - end) && end < Math.min(old.length, now.length) - start) end++;
  const cut = (lines, sign) =>
    lines
      .slice(start, lines.length - end)
      .map((line) => `    ${sign}${line}\n`)
      .join("");
  return cut(old, "-") + cut(now, "+");
}

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "1" },
    list: { type: "boolean", default: false },
  },
});
install();
const mutants = chosen(Number(values.count), values.seed);
const title = ({ file, line, rule }) => `${file}:${line + 1} ${rule}`;
if (values.list) {
  for (const mutant of mutants) process.stdout.write(`${title(mutant)}\n${difference(mutant)}`);
  process.exit(0);
}
const home = mkdtempSync(join(tmpdir(), "weft-mutants-"));
const [survivors, timedOut] = [[], []];
let done = 0;
try {
  const queue = mutants.values();
  const folders = Array.from({ length: Number(values.workers) }, (_, i) => copyTree(join(home, String(i))));
  if ((await outcomeOf(folders[0], [...new Set(mutants.map(({ file }) => file))])) !== SURVIVES) {
    throw new Error("the tests fail, or take too long, without any mutant: what they say of mutants means nothing");
  }
  const work = async (folder) => {
    for (const mutant of queue) {
      writeFileSync(join(folder, mutant.file), mutant.mutated);
      const outcome = await outcomeOf(folder, [mutant.file]);
      writeFileSync(join(folder, mutant.file), mutant.before);
      if (outcome === SURVIVES) survivors.push(mutant);
      if (outcome === TIMED_OUT) timedOut.push(mutant);
      process.stdout.write(
        `${++done}/${mutants.length} ${outcome.padEnd(9)} ${title(mutant)}\n${outcome === KILLED ? "" : difference(mutant)}`,
      );
    }
  };
  await Promise.all(folders.map(work));
} finally {
  rmSync(home, { recursive: true, force: true });
}
const killed = mutants.length - survivors.length;
process.stdout.write(
  `${killed} of ${mutants.length} mutants killed (${((100 * killed) / mutants.length).toFixed(1)} %), ${timedOut.length} of them by time\n`,
);
process.exitCode = killed >= SHARE * mutants.length ? 0 : 1;
