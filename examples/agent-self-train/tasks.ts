import { type ChatModel, type Claim, scriptedChat } from "@weft/agent";

const NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine"];
/** Units of time from the shortest, as questions and expressions have them. */
const UNITS = [
  ["seconds", "s"],
  ["minutes", "min"],
  ["hours", "h"],
  ["days", "d"],
  ["weeks", "week"],
] as const;
const QUESTIONS = ["How many A are there in N B?", "N B: how many A is that?", "How many A do N B have?", "Of how many A are N B made?"];

/** A question, and what has to be true of its answer. */
export interface Task {
  readonly question: string;
  /** The expression that a good call has. */
  readonly expression: string;
  readonly claims: (answer: unknown) => readonly Claim[];
}

/** Questions such as “How many minutes are there in three days?”, in an order by a seed: 320 there are. */
export function tasks(seed: number): readonly Task[] {
  const all: Task[] = [];
  for (const [place, [long, from]] of UNITS.entries())
    for (const [short, to] of UNITS.slice(0, place))
      for (const [i, word] of NUMBERS.entries())
        for (const question of QUESTIONS)
          all.push({
            question: question.replace("A", short).replace("N", word).replace("B", long),
            expression: `${i + 2} ${from} in ${to}`,
            claims: (answer) => [{ type: "arithmetic", claim: `${i + 2} ${from} = ${String(answer)}` }],
          });
  const random = randomNumbers(seed);
  return all
    .map((task) => ({ task, place: random() }))
    .toSorted((x, y) => x.place - y.place)
    .map(({ task }) => task);
}

/** A teacher that knows good calls, and in three of ten cases makes another one. @param seed of its errors */
export function erringTeacher(all: readonly Task[], seed: number): ChatModel {
  const random = randomNumbers(seed);
  return scriptedChat(({ messages }) => {
    const { expression } = all.find(({ question }) => question === messages[0]!.content)!;
    const wrong = all[Math.floor(random() * all.length)]!.expression;
    const call = { name: "calc", arguments: { e: random() < 0.3 ? wrong : expression } };
    return `<tool_call>\n${JSON.stringify(call)}\n</tool_call>`;
  });
}

/** Numbers from 0 to 1 by a seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
