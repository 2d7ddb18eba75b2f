import { flattenTree, type Tensor, tensor } from "@weft/tensor-core";
import { build } from "./build.js";
import { leafValues } from "./leaf-values.js";
import { type Arg, isLeaf, type Leaf, mapRefs, needed, type Program, Ref, refsIn } from "./program.js";
import { type Case, outputsOf, type Scenario } from "./scenario.js";

/** The case with only what its outputs need. */
function pruned(program: Program, scenario: Scenario): Case {
  const kept = needed(program, outputsOf(scenario));
  const ids = new Set(kept.map((s) => s.id));
  const args = scenario.args?.filter((id) => ids.has(id));
  const donate = scenario.donate.filter((id) => args?.includes(id));
  const outputs = outputsOf(scenario).length;
  const feed = scenario.feed.filter(({ leaf, output }) => donate.includes(leaf) && output < outputs);
  return { program: kept, scenario: { ...scenario, args, donate, feed } };
}

const withScenario = ({ program, scenario }: Case, change: Partial<Scenario>): Case => pruned(program, { ...scenario, ...change });

/** Some of the outputs, in one group, and what is fed of them. */
function onlyOutputs(scenario: Scenario, kept: readonly number[]): Partial<Scenario> {
  const outputs = outputsOf(scenario);
  return {
    groups: [kept.map((k) => outputs[k]!)],
    feed: scenario.feed.filter((f) => kept.includes(f.output)).map(({ leaf, output }) => ({ leaf, output: kept.indexOf(output) })),
  };
}

/** The same with a result of a statement replaced by another one. */
function replaced({ program, scenario }: Case, from: Ref, to: Ref): Case {
  const swap = (ref: Ref): Ref => (ref.of === from.of && ref.result === from.result ? to : ref);
  return pruned(
    program.map((s) => (isLeaf(s) ? s : { ...s, args: s.args.map((a) => mapRefs(a, swap) as Arg) })),
    { ...scenario, groups: scenario.groups.map((group) => group.map(swap)) },
  );
}

/** Simpler cases, the boldest first. */
function* simpler(c: Case): Generator<Case> {
  const { program, scenario } = c;
  const outputs = outputsOf(scenario);
  if (outputs.length > 1) {
    for (const keep of outputs.keys()) yield withScenario(c, onlyOutputs(scenario, [keep]));
    for (const gone of outputs.keys())
      yield withScenario(
        c,
        onlyOutputs(
          scenario,
          [...outputs.keys()].filter((k) => k !== gone),
        ),
      );
  }
  if (scenario.groups.length > 1) yield withScenario(c, { groups: [outputs] });
  if (scenario.args) {
    yield withScenario(c, { args: undefined, calls: 1, concurrent: false });
    if (scenario.calls > 1) yield withScenario(c, { calls: scenario.calls - 1 });
    if (scenario.bound) yield withScenario(c, { bound: false });
    for (const one of scenario.feed) yield withScenario(c, { feed: scenario.feed.filter((f) => f !== one) });
    for (const id of scenario.donate) yield withScenario(c, { donate: scenario.donate.filter((d) => d !== id) });
    if (scenario.concurrent) yield withScenario(c, { concurrent: false });
    for (const id of scenario.args) yield withScenario(c, { args: scenario.args.filter((a) => a !== id) });
  }
  const built = build(program, (leaf) => tensor(leafValues(leaf), { shape: leaf.shape, dtype: leaf.dtype }));
  const fresh = Math.max(...program.map((s) => s.id)) + 1;
  for (const s of program.toReversed()) {
    if (isLeaf(s)) continue;
    const results = built.get(s.id)!;
    for (const [i, t] of results.entries()) {
      const ref = new Ref(s.id, i);
      // One of its own arguments in its place, or a leaf.
      const same = refsIn([...s.args]).filter((r) => alike(built.get(r.of)![r.result]!, t));
      for (const r of same) yield replaced(c, ref, r);
      const leaf: Leaf = { id: fresh, leaf: "normal", shape: [...t.shape], dtype: t.dtype, seed: fresh };
      yield replaced({ program: [leaf, ...program], scenario }, ref, new Ref(fresh));
    }
  }
  yield* shorter(c);
  for (const s of program)
    if (isLeaf(s) && s.leaf === "special")
      yield { program: program.map((other) => (other === s ? { ...s, leaf: "normal" as const } : other)), scenario };
}

/** Axes of one length shortened everywhere, in leaves and in arguments, as what must fit together has equal lengths. */
function* shorter({ program, scenario }: Case): Generator<Case> {
  const lengths = new Set(program.flatMap((s) => (isLeaf(s) ? s.shape : [])));
  for (const from of [...lengths].toSorted((a, b) => b - a))
    for (const to of [1, 2, 3, from >> 1].filter((n) => n > 0 && n < from)) {
      const cut = (arg: Arg): Arg => (arg === from ? to : Array.isArray(arg) ? (arg as readonly Arg[]).map(cut) : arg);
      yield {
        program: program.map((s) =>
          isLeaf(s) ? { ...s, shape: s.shape.map((d) => (d === from ? to : d)) } : { ...s, args: s.args.map(cut) },
        ),
        scenario,
      };
    }
}

const alike = (a: Tensor, b: Tensor): boolean => a.dtype === b.dtype && a.shape.join() === b.shape.join();

/** Whether a case can be built: a leaf in place of a result may not be what others need. */
function valid({ program }: Case): boolean {
  try {
    for (const list of build(program, (leaf) => tensor(leafValues(leaf), { shape: leaf.shape, dtype: leaf.dtype })).values())
      flattenTree(list);
    return true;
  } catch {
    return false;
  }
}

/** The smallest case that still fails, of those that are found in the time. */
export async function shrink(c: Case, fails: (c: Case) => Promise<boolean>, seconds: number): Promise<Case> {
  const end = performance.now() + 1000 * seconds;
  let best = pruned(c.program, c.scenario);
  if (!(await fails(best))) return c;
  for (let found = true; found;) {
    found = false;
    for (const candidate of simpler(best)) {
      if (performance.now() > end) return best;
      if (!valid(candidate) || !(await fails(candidate))) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}
