import { summarise, type Timing } from "./statistics.js";

/** Somebody who does the same work as the others. */
export interface Contestant {
  readonly name: string;
  /** Works for about so many seconds. @returns seconds per call */
  turn(seconds: number): Promise<number>;
}

export interface TurnOptions {
  readonly rounds: number;
  /** Length of a turn. */
  readonly seconds: number;
}

/** Seconds per call of `run`, called for about `seconds`. Short calls are timed in batches, so that the clock does not count. */
export async function timeCalls(run: () => void | Promise<unknown>, seconds: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  for (let batch = 1; ;) {
    for (let i = 0; i < batch; i++) {
      const pending = run();
      if (pending) await pending;
    }
    calls += batch;
    const elapsed = (performance.now() - start) / 1000;
    if (elapsed >= seconds) return elapsed / calls;
    if (elapsed < seconds / 16) batch *= 2;
  }
}

/**
 * Every contestant in turn, over and over: whatever else the machine does hits all of them. The first turn is a warm-up and is not counted;
 * each round begins with another contestant.
 */
export async function takeTurns(
  contestants: readonly Contestant[],
  { rounds, seconds }: TurnOptions,
): Promise<ReadonlyMap<string, Timing>> {
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  if (times.size !== contestants.length)
    throw new RangeError(`two contestants have one name: ${contestants.map(({ name }) => name).join(", ")}`);
  for (const { turn } of contestants) await turn(seconds / 2);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const { name, turn } = contestants[(i + round) % contestants.length]!;
      times.get(name)!.push(await turn(seconds));
    }
  }
  return new Map([...times].map(([name, list]) => [name, summarise(list)]));
}
