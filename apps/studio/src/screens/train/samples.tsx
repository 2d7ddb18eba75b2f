import type { JSX } from "preact";
import type { RunState } from "../../engine/runs/reduce.js";
import { diffWords } from "../../ui/diff-words.js";
import { WORDS } from "./words.js";

type Sample = RunState["samples"][number];

/** A text behind its prompt; words that are not in the text before are marked. */
function Text({ sample: { prompt, text }, before }: { readonly sample: Sample; readonly before?: string }): JSX.Element {
  const pieces = before === undefined ? [{ text, changed: false }] : diffWords(before, text);
  return (
    <blockquote>
      <span class="prompt">{prompt}</span>
      {pieces.map((piece, i) => (piece.changed ? <mark key={i}>{piece.text}</mark> : <span key={i}>{piece.text}</span>))}
    </blockquote>
  );
}

/** What the model wrote before, and what it writes now. */
export function Samples({ state: { samples } }: { readonly state: RunState }): JSX.Element {
  const before = samples.find(({ step }) => step === 0);
  const after = samples.findLast(({ step, prompt }) => step > 0 && prompt === before?.prompt);
  return (
    <section class="samples" aria-labelledby="writes">
      <h2 id="writes">{WORDS.writes}</h2>
      <div class="pair">
        <div>
          <h3>{WORDS.before}</h3>
          {before ? <Text sample={before} /> : <p class="empty">{WORDS.waiting}</p>}
        </div>
        <div>
          <h3>{after ? WORDS.after(after.step) : "After"}</h3>
          {after && before ? <Text sample={after} before={before.text} /> : <p class="empty">{WORDS.waiting}</p>}
        </div>
      </div>
    </section>
  );
}
