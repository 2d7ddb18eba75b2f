import { compile, type Device, DeviceError, evaluate, reshape, type Tensor } from "@weft/tensor-core";
import { boundsOf } from "./bounds-of.js";
import { build, resultOf } from "./build.js";
import { firstWrong, type Held, letGo } from "./let-go.js";
import { onDevice } from "./leaf-values.js";
import { isLeaf, type Leaf } from "./program.js";
import { Random } from "./random.js";
import { type Case, outputsOf } from "./scenario.js";

/** A computed tensor that a call has taken over says so when it is used; a constant still has its host bytes. */
async function stillThere(t: Tensor): Promise<string | undefined> {
  if (t.node.op === "constant") return undefined;
  try {
    await t.data();
  } catch (error) {
    if (error instanceof DeviceError && error.kind === "donated") return undefined;
    throw error;
  }
  return `${t} can be read after it was donated`;
}

/**
 * Runs a case as a compiled function of the leaves `args`; those that are donated are its second argument. Views of what is donated, of which
 * there is one now and then, must not change.
 */
export async function runCompiled({ program, scenario }: Case, args: readonly number[], device: Device): Promise<string | undefined> {
  const random = new Random(scenario.seed);
  const leavesOf = (ids: readonly number[]): Leaf[] => ids.map((id) => program.find((s) => s.id === id) as Leaf);
  const given = leavesOf(args.filter((id) => !scenario.donate.includes(id)));
  const taken = leavesOf(scenario.donate);
  const captured = build(
    program.filter((s) => isLeaf(s) && !args.includes(s.id)),
    onDevice(device),
  );
  const fn = compile(
    (a: readonly Tensor[], b: readonly Tensor[]) => {
      const built = build(program, (leaf) => a[given.indexOf(leaf)] ?? b[taken.indexOf(leaf)] ?? captured.get(leaf.id)![0]!);
      return outputsOf(scenario).map((ref) => resultOf(built, ref));
    },
    { device, donate: [1] },
  );
  const expected = boundsOf({ program, scenario });
  const others: Tensor[] = [...captured.values()].flat();
  const held: Held[] = [];
  const gone: Tensor[] = [];
  const make = (leaves: readonly Leaf[], call: number): Tensor[] => leaves.map(onDevice(device, call));
  const first = [make(given, 0), make(taken, 0)] as const;
  const run = scenario.bound ? await fn.prepare(...first) : fn;
  const hold = (results: readonly Tensor[], call: number): void =>
    results.forEach((t, i) => held.push({ what: `call ${call}, output ${i}`, tensor: t, bounds: expected[call]![i]! }));

  if (scenario.concurrent) {
    const inputs = Array.from({ length: scenario.calls }, (_, call) =>
      call === 0 ? first : ([make(given, call), make(taken, call)] as const),
    );
    const results = await Promise.all(inputs.map((list) => run(...list)));
    results.forEach(hold);
    others.push(...inputs.flatMap(([a]) => a));
    gone.push(...inputs.flatMap(([, b]) => b));
  } else {
    let last: readonly Tensor[] = [];
    for (let call = 0; call < scenario.calls; call++) {
      const a = call === 0 ? first[0] : make(given, call);
      const b = call === 0 ? [...first[1]] : make(taken, call);
      for (const { leaf, output } of call === 0 ? [] : scenario.feed) {
        const at = taken.findIndex((l) => l.id === leaf);
        b[at]!.dispose();
        b[at] = last[output]!;
        held.splice(
          held.findIndex((h) => h.tensor === last[output]),
          1,
        );
      }
      const shared = b.length > 0 && random.chance(0.2) ? b[0]! : undefined;
      const view = shared && reshape(shared, [1, ...shared.shape.toReversed()]);
      if (view) await evaluate(view);
      const before = view && (await view.data());
      last = await run(a, b);
      hold(last, call);
      const wrong = await firstWrong(held, "");
      if (wrong) return wrong;
      if (view && !sameBytes(before!, await view.data())) return `a view of what call ${call} has taken over has changed`;
      if (view) others.push(view);
      others.push(...a);
      gone.push(...b);
    }
  }
  for (const t of gone) {
    const wrong = await stillThere(t);
    if (wrong) return wrong;
  }
  others.push(...gone);
  return letGo(held, others, scenario.seed, () => fn.dispose());
}

const sameBytes = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => Array.from(a).every((v, i) => Object.is(v, b[i]));
