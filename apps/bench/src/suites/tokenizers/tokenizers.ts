import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@weft/tokenizers";
import type { BenchContext, Suite } from "../../context.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";

/** What is used of npm's `@huggingface/tokenizers`. */
interface OtherTokenizers {
  readonly Tokenizer: new (tokenizer: object, config: object) => { encode(text: string): { readonly ids: readonly number[] } };
}

const CASES = ["bpe_byte_level", "bpe_byte_fallback", "wordpiece", "unigram"];
const TEXTS = ["README.md", "CONTRIBUTING.md", "docs/browser.md", "docs/merging.md"];

export const tokenizersSuite: Suite = {
  name: "tokenizers",
  summary: "encoding of text, with offsets: weft against @huggingface/tokenizers, which has none",
  async run(context) {
    const peers = await context.peers();
    if (peers) context.version("@huggingface/tokenizers", peers.version("@huggingface/tokenizers"));
    const other = (await peers?.load("@huggingface/tokenizers")) as OtherTokenizers | undefined;
    const text = TEXTS.map((file) => readFileSync(join(context.root, file), "utf8")).join("\n");
    for (const name of CASES) await measure(name, context.quick ? text.slice(0, 2000) : text, other, context);
  },
};

async function measure(name: string, text: string, other: OtherTokenizers | undefined, context: BenchContext): Promise<void> {
  const json = readFileSync(join(context.root, "fixtures/models/tokenizers", name, "tokenizer.json"), "utf8");
  const tokenizer = Tokenizer.fromJson(json);
  const { ids } = tokenizer.encode(text);
  const contestants: Contestant[] = [{ name: "weft", turn: (seconds) => timeCalls(() => void tokenizer.encode(text), seconds) }];
  if (other) {
    const peer = new other.Tokenizer(JSON.parse(json) as object, {});
    const theirs = peer.encode(text).ids;
    const different = ids.filter((id, i) => id !== theirs[i]).length;
    if (different > 0 || theirs.length !== ids.length)
      context.note(`${name}: ids of the two differ (${theirs.length} and ${ids.length} tokens)`);
    contestants.push({ name: "@huggingface/tokenizers", turn: (seconds) => timeCalls(() => void peer.encode(text), seconds) });
  }
  const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
  for (const [who, { best, spread, rounds }] of times) {
    const common = {
      suite: "tokenizers",
      case: `${name}, ${who}`,
      metric: "speed",
      value: ids.length / best / 1000,
      unit: "ktokens/s",
      spread,
      rounds,
    };
    const peer = who === "weft" ? times.get("@huggingface/tokenizers") : undefined;
    if (!peer) context.emit({ ...common, anchor: null, ratio: null });
    else {
      const ratio = peer.best / best;
      context.emit({ ...common, anchor: "@huggingface/tokenizers", ratio, goal: "≥ 1× @huggingface/tokenizers", met: ratio >= 1 });
    }
  }
}
